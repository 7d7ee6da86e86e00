from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.html_reader import Reader
from training.report import line_chart as module
from training.report.line_chart import Line, line_chart


def _drawn(title: str, lines: list[Line], **how: object) -> ElementTree.Element:
    chart = line_chart(title, lines, **how)  # type: ignore[arg-type]
    assert chart is not None
    return ElementTree.fromstring(chart.svg)


def _path(drawn: ElementTree.Element, group: str = "line0") -> list[tuple[float, float]]:
    """The points of a line that is drawn without a curve."""
    path = drawn.find(f".//g[@class='{group}']/path")
    assert path is not None
    words = path.attrib["d"].split()
    assert set(words[::3]) == {"M", "L"}
    return list(zip(map(float, words[1::3]), map(float, words[2::3]), strict=True))


def _dots(drawn: ElementTree.Element) -> list[float]:
    return [float(circle.attrib["cy"]) for circle in drawn.findall(".//circle")]


def test_larger_values_are_drawn_higher_and_later_ones_further_right() -> None:
    points = _path(_drawn("Loss", [("training", [(1, 3.0), (2, 1.0), (4, 2.0)])]))
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert points[0][1] < points[2][1] < points[1][1]


def test_a_single_point_a_flat_line_and_no_point_are_no_error() -> None:
    drawn = _drawn("Loss", [("training", [(1, 0.0)])])
    assert len(_dots(drawn)) == 1
    assert "1" in [text.text for text in drawn.findall(".//text")]
    for value in (5.0, 0.0, -5.0, 1e-9):
        first, second = _dots(_drawn("Loss", [("training", [(1, value), (2, value)])]))
        assert first == second
        assert 50 < first < 150
    assert line_chart("Loss", [("training", [])]) is None


def test_the_labels_of_a_constant_learning_rate_fit_beside_the_axis() -> None:
    for rate in (1e-3, 3e-4, 0.0125):
        drawn = _drawn("Rate", [("rate", [(1, rate), (2, rate)])])
        assert max(len(text.text or "") for text in drawn.findall(".//text")) <= 7


def test_powers_of_ten_are_evenly_apart_on_a_logarithmic_axis() -> None:
    dots = _dots(_drawn("Rate", [("rate", [(1, 1e-2), (2, 1e-3), (3, 1e-4)])], logarithmic=True))
    assert dots[2] - dots[1] == pytest.approx(dots[1] - dots[0], abs=0.2)


def test_a_long_run_is_thinned_and_keeps_both_ends() -> None:
    points = [(epoch, 1 / epoch) for epoch in range(1, 100_001)]
    chart = line_chart("Loss", [("training", points)])
    assert chart is not None
    assert len(chart.svg) < 20_000
    drawn = _path(ElementTree.fromstring(chart.svg))
    assert len(drawn) == module.POINTS
    assert drawn[0] == (52.0, 10.0)
    assert drawn[-1][0] == 448.0
    assert ">100000</text>" in chart.svg


def test_an_axis_from_zero_has_small_changes_look_small() -> None:
    points = [(1, 100.0), (2, 101.0)]
    plain = _dots(_drawn("Rate", [("rate", points)]))
    from_zero = _dots(_drawn("Rate", [("rate", points)], from_zero=True))
    assert plain[0] - plain[1] > 100
    assert 0 < from_zero[0] - from_zero[1] < 5


def test_names_are_escaped() -> None:
    drawn = _drawn("<b>&", [("<i>", [(1, 1.0)]), ("&", [(1, 2.0)])])
    assert drawn.find(".//i") is None
    assert drawn.attrib["aria-label"] == "<b>&"
    assert [title.text for title in drawn.findall(".//title")] == ["<i>, 1: 1", "&, 1: 2"]


def test_the_marked_epoch_is_a_vertical_line_at_its_point() -> None:
    drawn = _drawn("Loss", [("training", [(1, 3.0), (2, 1.0), (4, 2.0)])], marked=2)
    (start, end) = _path(drawn, "mark")
    assert start[0] == end[0] == pytest.approx(_path(drawn)[1][0], abs=0.01)
    assert _drawn("Loss", [("training", [(1, 3.0), (2, 1.0)])], marked=9).find(".//g[@class='mark']") is None


def test_a_drawing_is_part_of_a_page_and_follows_its_colours() -> None:
    chart = line_chart("Loss", [("training", [(1, 3.0), (2, 1.0)]), ("validation", [(1, 4.0), (2, 2.0)])], marked=2)
    assert chart is not None
    reader = Reader(chart.svg)
    assert {"style", "defs", "use", "metadata"} & set(reader.elements) == set()
    assert "id" not in [name for name, _ in reader.attributes]
    assert "#" not in chart.svg  # no colour of its own, no reference
    for colour in ("bar", "second", "line", "quiet"):
        assert f"var(--{colour})" in chart.svg


def test_a_chart_is_drawn_alike_whatever_the_user_has_set_for_other_pictures() -> None:
    import matplotlib

    lines: list[Line] = [("training", [(1, 3.0), (2, 1.0)])]
    before = line_chart("Loss", lines)
    with matplotlib.rc_context({"lines.linewidth": 7, "font.size": 30, "svg.fonttype": "path", "axes.grid": True}):
        assert line_chart("Loss", lines) == before
