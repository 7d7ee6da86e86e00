from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from training.report import line_chart as module
from training.report.line_chart import line_chart


def _drawn(figure: str) -> ElementTree.Element:
    return ElementTree.fromstring(figure)


def test_larger_values_are_drawn_higher_and_later_ones_further_right() -> None:
    line = _drawn(line_chart("Loss", [("training", [(1, 3.0), (2, 1.0), (4, 2.0)])])).find(".//polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert points[0][1] < points[2][1] < points[1][1]


def test_a_single_point_a_flat_line_and_no_point_are_no_error() -> None:
    assert len(_drawn(line_chart("Loss", [("training", [(1, 0.0)])])).findall(".//circle")) == 1
    for value in (5.0, 0.0, -5.0, 1e-9):
        (first, second) = _drawn(line_chart("Loss", [("training", [(1, value), (2, value)])])).findall(".//circle")
        assert first.attrib["cy"] == second.attrib["cy"]
        assert 50 < float(first.attrib["cy"]) < 150
    assert line_chart("Loss", [("training", [])]) == ""


def test_powers_of_ten_are_evenly_apart_on_a_logarithmic_axis() -> None:
    figure = _drawn(line_chart("Rate", [("rate", [(1, 1e-2), (2, 1e-3), (3, 1e-4)])], logarithmic=True))
    circles = [float(circle.attrib["cy"]) for circle in figure.findall(".//circle")]
    assert circles[2] - circles[1] == pytest.approx(circles[1] - circles[0], abs=0.2)


def test_a_long_run_is_thinned_and_keeps_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [(epoch, 1 / epoch) for epoch in range(1, 100_001)]
    figure = line_chart("Loss", [("training", points)])
    assert len(figure) < 20_000
    drawn = re.findall(r'points="(.*?)"', figure)[0].split()
    assert len(drawn) == module.POINTS
    assert drawn[0] == "52.0,10.0"
    assert drawn[-1].startswith("448.0,")
    assert ">100000</text>" in figure


def test_an_axis_from_zero_has_small_changes_look_small() -> None:
    points = [(1, 100.0), (2, 101.0)]
    places = [
        [
            float(circle.attrib["cy"])
            for circle in _drawn(line_chart("Rate", [("rate", points)], **how)).findall(".//circle")
        ]
        for how in ({}, {"from_zero": True})
    ]
    assert places[0][0] - places[0][1] > 100
    assert 0 < places[1][0] - places[1][1] < 5


def test_names_are_escaped() -> None:
    assert _drawn(line_chart("<b>&", [("<i>", [(1, 1.0)]), ("&", [(1, 2.0)])])).find(".//i") is None
