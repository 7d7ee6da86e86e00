"""A removed track is gone for every reader at once; a purge also removes its features from the disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.labels.overlay import lay_labels
from pipeline.labels.splits import existing_split
from pipeline.removal import purge
from pipeline.removal.remove import _as_known, read_ids, remove
from pipeline.verify import verify
from schemas.console.errors import DatasetError, UserError
from schemas.dataset import Dataset
from schemas.examples import decode_example
from schemas.storage.files import read_range
from schemas.storage.stored_tables import table_bytes
from schemas.tfrecord import unframe
from tests.conftest import TRACKS, SmallCorpus, small_catalog

Contents = Callable[..., dict[str, str]]
GONE = ("träck 003", "träck 011")


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    (tmp_path / "gone.txt").write_text("\n".join([*GONE, "", "unknown"]), encoding="utf-8")
    return str(tmp_path / "gone.txt")


def bytes_of(root: Path, family: str, track: str) -> bytes:
    """A track's record as it is on the disk, whether the track is removed or not."""
    dataset = Dataset.open(str(root))
    row = next(row for row in dataset.tracks_of(0).to_pylist() if row["track_id"] == track)
    uri, _ = dataset.payload(dataset.spec(family), 0, row["shard"])
    return read_range(uri, row[f"{family}_offset"], row[f"{family}_length"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_of_a_list_is_an_id_however_an_editor_saved_it(tmp_path: Path, encoding: str, end: str) -> None:
    for name, first in (("gone.txt", ""), ("gone.csv", f"track_id{end}")):
        path = tmp_path / name
        path.write_bytes(f"{first}é01{end} 002{end}{end}a\x85\u2028b".encode(encoding))
        assert [track.strip() for track in read_ids(str(path)).to_pylist()] == sorted(["002", "a\x85\u2028b", "é01"])


@pytest.mark.parametrize("name", ["gone.txt", "gone.csv", "gone.jsonl"])
def test_marks_and_margins_around_an_id_hide_no_track(dataset: Path, tmp_path: Path, name: str) -> None:
    """Lists from two editors may be joined with `cat`; invisible characters must not make a track's removal fail."""
    lines = [f"\ufeff\ufeff{GONE[0]}", "\u00a0unknown ", f"\ufeff {GONE[1]}\u2028\x85 \u00a0", "\ufeff"]
    written = {
        "gone.txt": "\n".join(lines),
        "gone.csv": "\n".join(["\ufeff\ufefftrack_id", *lines]),
        "gone.jsonl": "\ufeff\ufeff" + "".join(json.dumps({"track_id": line}) + "\n" for line in lines),
    }
    (tmp_path / name).write_text(written[name], encoding="utf-8")
    summary = remove(str(dataset), str(tmp_path / name))
    assert Dataset.open(str(dataset)).removed()["track_id"].to_pylist() == sorted(GONE)
    assert (summary.removed, summary.unknown[0]) == (2, 1 if name == "gone.txt" else 2)


def test_an_id_that_ends_with_a_space_is_not_the_one_without_it(tmp_path: Path) -> None:
    known = pa.array(["a", "a\x85", "b", "c "])
    asked = pa.array(["a\x85", "b ", "c", "c "])
    assert _as_known(asked, known).to_pylist() == ["a\x85", "b", "c", "c "]


@pytest.mark.parametrize("data", [b"001\n\xff02\n", b"001\n0\x0002\n"])
def test_a_list_that_is_no_text_removes_nothing(tmp_path: Path, data: bytes) -> None:
    for name in ("gone.txt", "gone.csv", "gone.jsonl"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=f"tracks .*{name}: line 2: expected UTF-8 text"):
            read_ids(str(tmp_path / name))


def test_a_removed_track_is_gone_for_every_reader_and_stays_out(
    dataset: Path, small_corpus: SmallCorpus, request_file: str, contents: Contents
) -> None:
    labels = lay_labels(str(dataset), [small_corpus.annotations], small_corpus.label_set)
    before = contents(dataset)
    summary = remove(str(dataset), request_file)
    assert (summary.asked, summary.unknown, summary.removed, summary.before) == (3, (1, ("unknown",)), 2, 0)
    assert summary.purged_payloads is None
    assert {version: sum(sides.values()) for version, sides in summary.labels.items()} == {f"small@{labels.version}": 2}
    assert {name: digest for name, digest in contents(dataset).items() if name != "removed.parquet"} == before
    opened = Dataset.open(str(dataset))
    assert not set(GONE) & set(opened.newest_tracks()["track_id"].to_pylist())
    assert not set(GONE) & set(existing_split(opened, "default").table["track_id"].to_pylist())
    again = lay_labels(str(dataset), [small_corpus.annotations], small_corpus.label_set)
    assert sum(again.tracks.values()) == TRACKS - 2
    for retry in ("none", "all"):
        built = build(small_corpus.catalog, str(dataset), BuildOptions(workers=1, retry_rejects=retry))  # type: ignore[arg-type]
        assert (built.built, built.tracks, built.removed) == ((), TRACKS - 2, 2)
    report = verify(str(dataset), deep=True)
    assert (report.problems, report.removed) == ((), 2)


def test_asking_again_changes_nothing(dataset: Path, request_file: str, contents: Contents) -> None:
    for purged in (False, True):
        remove(str(dataset), request_file, purge=purged)
        before = contents(dataset)
        summary = remove(str(dataset), request_file, purge=purged)
        assert (summary.removed, summary.before, summary.purged_payloads) == (0, 2, 0 if purged else None)
        assert contents(dataset) == before
    remove(str(dataset), request_file)  # without --purge, but purged records stay purged
    assert pq.read_table(dataset / "removed.parquet")["purged"].to_pylist() == [True, True]


def test_a_purge_blanks_the_records_and_moves_no_other(dataset: Path, request_file: str, contents: Contents) -> None:
    tracks = Dataset.open(str(dataset)).tracks_of(0).to_pylist()
    held = {row["shard"] for row in tracks if row["track_id"] in GONE}
    kept = {
        (family, row["track_id"]): bytes_of(dataset, family, row["track_id"])
        for family in ("logmel", "waveform")
        for row in tracks
        if row["track_id"] not in GONE
    }
    before = contents(dataset)
    summary = remove(str(dataset), request_file, purge=True)
    assert summary.purged_payloads == 2 * len(held)
    for (family, track), record in kept.items():
        assert bytes_of(dataset, family, track) == record
    for family in ("logmel", "waveform"):
        for track in GONE:
            payload = unframe(bytes_of(dataset, family, track), where="here")
            found, values = decode_example(family, payload, where="here")
            assert found == "\0" * len(track.encode())
            assert not values.any()
    after = contents(dataset)
    shards = {f"part-{shard:05d}" for shard in held}
    changed = {name for name in {*before, *after} - {"removed.parquet"} if before.get(name) != after.get(name)}
    assert {name.rsplit("/", 1)[-1][:10] for name in changed} == shards
    assert all(name.startswith("features/") for name in changed)
    assert len(list(dataset.rglob("*.tfrecord"))) == 2 * 4
    assert verify(str(dataset), deep=True).problems == ()


class Interrupted(Exception):  # noqa: N818 (stands for a kill)
    pass


@pytest.mark.parametrize("again", [False, True])
def test_a_purge_does_not_make_a_damaged_payload_pass_for_whole(dataset: Path, request_file: str, again: bool) -> None:
    if again:
        remove(str(dataset), request_file, purge=True)
    opened = Dataset.open(str(dataset))
    tracks = opened.tracks_of(0).to_pylist()
    shard = next(row["shard"] for row in tracks if row["track_id"] == GONE[0])
    kept = next(
        row for row in tracks if row["shard"] == shard and row["track_id"] not in GONE and row["record"] is not None
    )
    payload = Path(opened.payload(opened.spec("waveform"), 0, shard)[0])
    whole = payload.read_bytes()
    damaged = bytearray(whole)
    damaged[kept["waveform_offset"] + kept["waveform_length"] // 2] ^= 1
    payload.write_bytes(damaged)
    with pytest.raises(DatasetError, match=rf"{payload.name}: its bytes are not those of the done mark.*restore it"):
        remove(str(dataset), request_file, purge=True)
    assert any(payload.name in problem for problem in verify(str(dataset)).problems)
    payload.write_bytes(whole)
    remove(str(dataset), request_file, purge=True)
    assert verify(str(dataset), deep=True).problems == ()


@pytest.mark.parametrize("step", range(1, 7))
@pytest.mark.parametrize("after", [False, True])
def test_a_purge_that_is_cut_short_anywhere_is_finished_by_the_same_command(
    step: int,
    after: bool,
    dataset: Path,
    request_file: str,
    tmp_path: Path,
    contents: Contents,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import shutil

    whole = Path(shutil.copytree(dataset, tmp_path / "whole"))
    remove(str(whole), request_file, purge=True)
    calls = 0

    def cut(function: Callable[..., object]) -> Callable[..., object]:
        def counted(*arguments: object) -> object:
            nonlocal calls
            calls += 1
            if calls == step and not after:
                raise Interrupted
            result = function(*arguments)
            if calls == step:
                raise Interrupted
            return result

        return counted

    with monkeypatch.context() as patched:
        patched.setattr(purge, "write_atomic", cut(purge.write_atomic))
        patched.setattr(purge, "remove", cut(purge.remove))
        with pytest.raises(Interrupted):
            remove(str(dataset), request_file, purge=True)
    assert not set(GONE) & set(Dataset.open(str(dataset)).newest_tracks()["track_id"].to_pylist())
    remove(str(dataset), request_file, purge=True)
    assert contents(dataset) == contents(whole)
    assert verify(str(dataset), deep=True).problems == ()


def test_superseded_records_are_purged_too(tmp_path: Path) -> None:
    import soundfile

    catalog, root = small_catalog(tmp_path, 6), str(tmp_path / "data")
    build(catalog, root, BuildOptions(workers=1))
    soundfile.write(tmp_path / "03.wav", np.random.default_rng(99).normal(scale=0.1, size=9_000), 16_000)
    build(catalog, root, BuildOptions(workers=1))
    (tmp_path / "gone.csv").write_text("track_id\n03\n")
    assert remove(root, str(tmp_path / "gone.csv"), purge=True).purged_payloads == 4
    assert verify(root, deep=True).problems == ()


def test_a_record_that_should_be_blank_and_is_not_is_found(dataset: Path, request_file: str) -> None:
    remove(str(dataset), request_file)
    table = pq.read_table(dataset / "removed.parquet")
    lying = table.set_column(1, "purged", pa.array([True, False]))
    (dataset / "removed.parquet").write_bytes(table_bytes(lying.cast(table.schema)))
    problems = verify(str(dataset), deep=True).problems
    assert len(problems) == 2
    assert all("was purged, and its record is not blank" in problem for problem in problems)
    assert verify(str(dataset)).problems == ()


@pytest.mark.parametrize("deep", [True])
def test_a_blank_record_of_a_track_that_is_there_is_found(dataset: Path, request_file: str, deep: bool) -> None:
    remove(str(dataset), request_file, purge=True)
    (dataset / "removed.parquet").unlink()
    assert any("the tracks table expects" in problem for problem in verify(str(dataset), deep=deep).problems)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "track_id\nnobody\n", "none of its 1 tracks is in"),
        ("a.txt", "\n\n", "expected at least one track id, found none"),
        ("a.csv", "id\n1\n", "expected the column track_id"),
        ("a.txt", None, "cannot be read: No such file"),
    ],
)
def test_a_wrong_list_is_refused_and_removes_nothing(
    name: str, text: str | None, words: str, dataset: Path, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=words):
        remove(str(dataset), str(tmp_path / name))
    assert not (dataset / "removed.parquet").exists()
