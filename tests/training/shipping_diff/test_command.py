"""The command `compare --tags` as a user types it: its output, its exit codes, and its page."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from click.testing import CliRunner, Result

from benchmarks.synthetic_tags import write_generation
from schemas.console.errors import DatasetError
from tests.html_reader import Reader
from tests.training.shipping_diff.conftest import TAGS, Pair, Tracks
from tests.warm_commands import run_warm
from training.run import cli
from training.shipping_diff.compare_tags import compare_tags
from training.shipping_diff.page import write_page
from training.shipping_diff.result_json import diff_json

ROOT = Path(__file__).parents[3]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def _run(pair: Pair, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [ROOT / "training" / "run.py", "compare", "--tags", pair.old, pair.new, *arguments]
    return run_warm(words, cwd=pair.old.parent)


def _invoke(pair: Pair, *arguments: object) -> Result:
    return CliRunner().invoke(cli, ["compare", "--tags", str(pair.old), str(pair.new), *map(str, arguments)])


def test_the_gate_is_the_exit_code(pair: Pair) -> None:
    rate = compare_tags(str(pair.old), str(pair.new)).rate
    passed = _invoke(pair, "--max-flips", rate)
    assert passed.exit_code == 0, passed.output
    assert "passed: " in passed.stdout
    assert passed.stdout.splitlines()[-1].endswith(f"compare --tags {pair.old} {pair.new} --html diff.html")
    failed = _run(pair, "--max-flips", rate / 2, "--quiet")
    assert failed.returncode == 3, failed.stderr
    (line,) = failed.stdout.splitlines()
    assert line.startswith("failed: ")
    assert _invoke(pair).exit_code == 0


def test_the_json_holds_everything(pair: Pair) -> None:
    ended = _invoke(pair, "--json", "--by", "genre", "--max-flips", 0)
    assert ended.exit_code == 3, ended.output
    fields = json.loads(ended.stdout)
    assert fields.pop("gate") == {"max_flips": 0.0, "passed": False}
    assert [one["tag"] for one in fields["per_tag"]] == list(TAGS)
    assert {one["name"] for one in fields["per_group"]} == {"pop", "folk", None}
    assert (len(fields["listen"]), fields["by"], fields["old"]["thresholds_from"]) == (50, "genre", "default")
    plain = diff_json(compare_tags(str(pair.old), str(pair.new)), None)
    assert fields["per_tag"] == json.loads(json.dumps(plain))["per_tag"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tags", "--split", "test"], "--split: expected without --tags"),
        (["--tags", "--max-regression", "0.1"], "--max-regression: expected without --tags"),
        (["--tags", "--stage", "x"], "--stage: expected without --tags"),
        (["--by", "group"], "--by: expected only with --tags"),
        (["--max-flips", "0.1"], "--max-flips: expected only with --tags"),
        (["--tags", "--max-flips", "2"], "--max-flips: expected 0 to 1, received 2"),
        (["--tags", "--threshold", "nan"], "--threshold: expected 0 to 1, received nan"),
        (["--tags", "--catalog", "x.csv"], "--catalog: expected only with --by"),
        (["--tags"], "old: expected tags, found no tags.json"),
    ],
)
def test_options_of_the_other_kind_are_refused(arguments: list[str], words: str) -> None:
    ended = CliRunner().invoke(cli, ["compare", "old", "new", *arguments])
    assert words in str(ended.exception)
    assert getattr(ended.exception, "exit_code", None) == 2


def test_without_duckdb_one_line_names_the_extra(pair: Pair) -> None:
    program = (
        "import sys\nsys.modules['duckdb'] = None\nsys.argv = sys.argv[1:]\n"
        "import runpy\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    )
    ended = run_warm(["-c", program, ROOT / "training" / "run.py", "compare", "--tags", pair.old, pair.new])
    assert ended.returncode == 2, ended.stderr
    assert "duckdb is not installed" in ended.stderr
    assert "'.[compare]'" in ended.stderr or "activate the environment" in ended.stderr or "make " in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_the_page_plays_the_tracks_and_shows_text_as_text(pair: Pair, tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    write_generation(tmp_path / "evil", pair.after, tags=(evil, *TAGS[1:]))
    write_generation(tmp_path / "evil old", pair.before, tags=(evil, *TAGS[1:]))
    found = compare_tags(str(tmp_path / "evil old"), str(tmp_path / "evil"))
    (tmp_path / "audio").mkdir()
    heard = [one.track_id for one in found.examples[:3]]
    for track in heard:
        (tmp_path / "audio" / f"{track}.mp3").touch()
    page = tmp_path / "page.html"
    write_page(found, str(page))
    reader = Reader(page.read_text(encoding="utf-8"))
    sources = [value for name, value in reader.attributes if name == "src"]
    assert sources == [f"audio/{track.replace('ä', '%C3%A4').replace(' ', '%20')}.mp3" for track in heard]
    assert not {"script", "i"} & set(reader.elements)
    text = "".join(reader.texts)
    assert evil in text
    assert all(one.track_id in text for one in found.examples)
    assert f"{tmp_path}/audio/{found.examples[3].track_id}.mp3" in text  # it is not there, so its place is shown
    again = page.read_bytes()
    write_page(found, str(page))
    assert page.read_bytes() == again


def test_a_plan_that_was_changed_names_no_audio(pair: Pair, tmp_path: Path) -> None:
    """Its rows have a checksum: the page plays no file that somebody else wrote into it."""
    found = compare_tags(str(pair.old), str(pair.new))
    plan = pair.new / "plan" / "gen-000.parquet"
    read = pq.ParquetFile(plan)
    schema = read.schema_arrow
    parts = [read.read_row_group(number) for number in range(read.num_row_groups)]
    with pq.ParquetWriter(plan, schema) as writer:
        for part in parts:
            others = pa.array(["other.mp3"] * part.num_rows)
            writer.write_table(part.set_column(schema.get_field_index("uri"), "uri", others).cast(schema))
    with pytest.raises(
        DatasetError, match=r"gen-000\.parquet: row group 0 cannot be read: .* do not match its checksum"
    ):
        write_page(found, str(tmp_path / "page.html"))


def test_equal_tags_make_a_page_without_tracks(pair: Pair, tmp_path: Path) -> None:
    write_page(compare_tags(str(pair.old), str(pair.old)), str(tmp_path / "page.html"))
    assert "No tag flips." in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_shows_the_page_and_loads_its_audio(pair: Pair, tmp_path: Path, make_tracks: Tracks) -> None:
    assert CHROMIUM is not None
    first = compare_tags(str(pair.old), str(pair.new)).examples[0].track_id
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio" / "made.wav", [0.0] * 32_000, 16_000)
    (tmp_path / "audio" / "made.wav").rename(tmp_path / "audio" / f"{first}.mp3")
    ended = _invoke(pair, "--by", "group", "--html", tmp_path / "page.html")
    assert ended.exit_code == 0, ended.output
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    script = (
        "<script>const a = document.querySelector('audio'); a.preload = 'metadata';"
        "a.onloadedmetadata = () => { document.title = 'heard ' + a.duration; }; a.load();</script></body>"
    )
    (tmp_path / "probed.html").write_text(text.replace("</body>", script), encoding="utf-8")
    words = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    words += ["--virtual-time-budget=5000", "--dump-dom", (tmp_path / "probed.html").as_uri()]
    shown = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<title>heard 2</title>" in shown
    assert shown.count("<audio") == 1
    assert shown.count("<tr>") == text.count("<tr>")
