"""A removal from a dataset reaches its tags: at once for every reader, and on request their files."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import pipeline.tagging.shards
from pipeline.removal.remove import remove
from pipeline.search.similar import SimilarOptions, similar
from pipeline.tagging.inference import Inference
from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from pipeline.tagging.verify_tags import verify_tags
from schemas.tags import Tags
from tests.conftest import SmallCorpus

ROOT = Path(__file__).parents[3]
ONE = TagOptions(workers=1)
EVERY = SimilarOptions(count=24)


@pytest.fixture
def tags(
    dataset: Path, model: Path, small_corpus: SmallCorpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Tags of a dataset, beside it, and a list of two of its tracks."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "faults"))
    monkeypatch.setattr(pipeline.tagging.shards, "Inference", functools.partial(Inference, module="plain_model"))
    for note in dataset.glob("runs/tags-*.json"):
        note.unlink()  # other tests have tagged the dataset that this one is a copy of
    tag(str(model), str(tmp_path / "tags"), dataset=str(dataset), options=ONE)
    (tmp_path / "gone.txt").write_text("".join(f"{track}\n" for track, _, _ in small_corpus.rows[:2]))
    return tmp_path / "tags"


def holding(tags: Path, text: str) -> list[str]:
    """Names of scores that hold a track."""
    files = sorted(tags.glob("scores/*/*.parquet"))
    return [path.name for path in files if text in pq.read_table(path)["track_id"].to_pylist()]


def test_readers_skip_removed_tracks_at_once_and_a_purge_erases_them(
    tags: Path, dataset: Path, model: Path, small_corpus: SmallCorpus, tmp_path: Path
) -> None:
    track = small_corpus.rows[0][0]
    other = small_corpus.rows[5][0]
    assert track in [one.track_id for one in similar(str(tags), track=other, options=EVERY).neighbours]
    (taken,) = remove(str(dataset), str(tmp_path / "gone.txt")).tags
    assert (taken.tags, taken.tracks, taken.files) == (str(tags), 2, None)
    assert track not in Tags.open(str(tags)).newest_tracks([])["track_id"].to_pylist()
    assert len(holding(tags, track)) == 1
    assert track not in [one.track_id for one in similar(str(tags), track=other, options=EVERY).neighbours]
    before = {path.name for path in tags.glob("scores/*/*.parquet")}
    (taken,) = remove(str(dataset), str(tmp_path / "gone.txt"), purge=True).tags
    assert taken.files is not None
    assert 1 <= taken.files <= 2
    after = {path.name for path in tags.glob("scores/*/*.parquet")}
    assert len(after) == len(before)
    assert len(after - before) == taken.files
    assert holding(tags, track) == []
    assert not list(tags.glob("index/*"))
    assert len(similar(str(tags), track=other, options=EVERY).neighbours) == 21
    assert verify_tags(str(tags)).problems == ()
    (again,) = remove(str(dataset), str(tmp_path / "gone.txt"), purge=True).tags
    assert again.files == 0
    assert tag(str(model), str(tags), dataset=str(dataset), options=ONE).built == ()
    assert holding(tags, track) == []


def test_tags_alone_are_changed_by_the_command(
    tags: Path, dataset: Path, small_corpus: SmallCorpus, tmp_path: Path, run_pipeline
) -> None:
    ended = run_pipeline("remove", "--tags", tags, "--tracks", tmp_path / "gone.txt", "--purge")
    assert ended.returncode == 0, ended.stderr
    assert "2 of the tracks were taken out, and erased from" in ended.stdout
    assert holding(tags, small_corpus.rows[1][0]) == []
    assert run_pipeline("verify", "--tags", tags).returncode == 0
    assert run_pipeline("verify", "--dataset", dataset).returncode == 0
    both = run_pipeline("remove", "--tags", tags, "--dataset", dataset, "--tracks", tmp_path / "gone.txt")
    assert both.returncode == 2


def test_a_damaged_file_is_not_erased_from_and_a_lost_folder_is_no_obstacle(
    tags: Path, dataset: Path, small_corpus: SmallCorpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (name,) = holding(tags, small_corpus.rows[0][0])
    path = next(tags.glob(f"scores/*/{name}"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert remove(str(dataset), str(tmp_path / "gone.txt"), purge=True).tags == ()
    assert "its tags still hold these tracks" in capsys.readouterr().err
    path.write_bytes(whole)
    (taken,) = remove(str(dataset), str(tmp_path / "gone.txt"), purge=True).tags
    assert taken.files
    shutil.rmtree(tags)
    assert remove(str(dataset), str(tmp_path / "gone.txt"), purge=True).tags == ()
