"""An unfinished generation hides nothing that is finished: every command still works, and one of them gives it up."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

import pipeline.decode.shards
import pipeline.removal.leftovers
import pipeline.removal.unfinished
from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.derive.derive import DeriveOptions, derive
from pipeline.export_records.export import ExportOptions, export_records
from pipeline.info.overview import info
from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split
from pipeline.removal.prune import prune
from pipeline.removal.remove import remove
from pipeline.verify import verify
from schemas.console.errors import DatasetError, TagscaleError, UserError
from schemas.dataset import Dataset
from schemas.sole_writer import sole_writer
from tests.conftest import TRACKS, RunPipeline, SmallCorpus, small_catalog

Contents = Callable[..., dict[str, str]]
ONE = BuildOptions(workers=1, shards=2)
ALL_MAY_FAIL = dataclasses.replace(ONE, max_reject_rate=1.0)
OLD, ADDED = 6, 4  # number of tracks in the first catalog, and of those added later


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished dataset `data` of six tracks and a catalog of ten; three of the files do not exist."""
    folder = tmp_path_factory.mktemp("grown")
    build(small_catalog(folder, OLD), str(folder / "data"), ONE)
    shutil.copy(folder / "catalog.csv", folder / "old.csv")
    small_catalog(folder, OLD + ADDED, missing=3)
    return folder


@pytest.fixture
def refused(grown: Path, tmp_path: Path) -> Path:
    """The same, after the build of the grown catalog was refused for its rejects."""
    folder = Path(shutil.copytree(grown, tmp_path / "grown"))
    with pytest.raises(UserError, match=r"3 of 10 tracks were rejected.* prune --dataset \S+ --unfinished` gives up"):
        build(str(folder / "catalog.csv"), str(folder / "data"), dataclasses.replace(ONE, max_reject_rate=0.2))
    return folder


@pytest.fixture
def half_done(grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, after the build was cut short in its second shard."""
    folder = Path(shutil.copytree(grown, tmp_path / "grown"))
    write, done = pipeline.decode.shards.ShardWriter.write, []

    def failing(self: pipeline.decode.shards.ShardWriter, shard: int) -> object:
        if done and shard not in done:
            raise OSError("the disk is gone")
        done.append(shard)
        return write(self, shard)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline.decode.shards.ShardWriter, "write", failing)
        with pytest.raises(TagscaleError, match="1 of 2 shards unfinished"):
            build(str(folder / "catalog.csv"), str(folder / "data"), ALL_MAY_FAIL)
    return folder


@pytest.fixture(params=["refused", "half_done"])
def unfinished(request: pytest.FixtureRequest) -> Path:
    """A folder with a generation under way, for each of the two reasons."""
    folder: Path = request.getfixturevalue(request.param)
    return folder


def test_every_command_goes_on_with_what_is_finished(unfinished: Path, run_pipeline: RunPipeline) -> None:
    root = str(unfinished / "data")
    (unfinished / "tags.csv").write_text("track_id,tag\n" + "".join(f"0{number},loud\n" for number in range(OLD)))
    (unfinished / "set.yaml").write_text("name: mine\n")
    make_split(Dataset.open(root), "thirds", SplitMethod((1, 1, 1)))
    labels = lay_labels(root, [str(unfinished / "tags.csv")], str(unfinished / "set.yaml"), "thirds")
    assert sum(labels.tracks.values()) == OLD
    assert derive(root, DeriveOptions(mels=40, workers=1)).built == (0,)
    assert sum(export_records(root, "mine", str(unfinished / "out"), ExportOptions(workers=1)).records.values()) == OLD
    facts = info(root).dataset
    assert (facts.records, len(facts.generations)) == (OLD, 1)
    assert str(facts.under_way).startswith("gen-001 is under way (")
    report = verify(root, deep=True)
    assert (report.problems, report.tracks, report.under_way) == ((), OLD, facts.under_way)
    assert prune(root, delete=True).paths == ()
    shown = run_pipeline("info", "--dataset", root)
    assert f"note: {root}: {facts.under_way}; what was finished before it is used" in shown.stderr
    assert f"  note      {facts.under_way}; what was finished before it is shown" in shown.stdout
    # The build then goes on as if nothing had happened.
    summary = build(str(unfinished / "catalog.csv"), root, ALL_MAY_FAIL)
    assert (summary.built, summary.tracks, summary.rejects) == ((1,), OLD + ADDED, {"not_found": 3})
    assert Dataset.open(root).under_way is None
    assert verify(root, deep=True).problems == ()


def test_the_bytes_are_those_of_a_build_beside_which_nothing_was_done(
    half_done: Path, grown: Path, tmp_path: Path, contents: Contents
) -> None:
    root = str(half_done / "data")
    derive(root, DeriveOptions(mels=40, workers=1))
    build(str(half_done / "catalog.csv"), root, ALL_MAY_FAIL)
    derive(root, DeriveOptions(mels=40, workers=1))
    other = Path(shutil.copytree(grown, tmp_path / "undisturbed"))
    build(str(other / "catalog.csv"), str(other / "data"), ALL_MAY_FAIL)
    derive(str(other / "data"), DeriveOptions(mels=40, workers=1))
    assert contents(half_done / "data") == contents(other / "data")


def test_the_old_catalog_leaves_the_generation_of_another_alone(unfinished: Path, contents: Contents) -> None:
    before = contents(unfinished / "data")
    summary = build(str(unfinished / "old.csv"), str(unfinished / "data"), ONE)
    assert (summary.built, summary.tracks) == ((), OLD)
    assert str(summary.under_way).startswith("gen-001 is under way")
    assert contents(unfinished / "data") == before


def test_a_third_catalog_is_refused_until_the_build_is_finished_or_given_up(refused: Path, contents: Contents) -> None:
    before = contents(refused / "data")
    (refused / "third.csv").write_text("track_id,uri\nnew,00.wav\n")
    with pytest.raises(UserError, match=r"lists none of its tracks, and 1 that are to be decoded.* --unfinished --yes"):
        build(str(refused / "third.csv"), str(refused / "data"), ONE)
    assert contents(refused / "data") == before


def test_what_was_begun_can_be_given_up(unfinished: Path, grown: Path, contents: Contents) -> None:
    root = str(unfinished / "data")
    before = contents(unfinished / "data")
    shown = prune(root, [], unfinished=True)
    assert contents(unfinished / "data") == before
    names = {path.uri.removeprefix(f"{root}/").split("/")[0] for path in shown.paths}
    assert names == {"features", "tracks", "plan"}
    assert prune(root, [], unfinished=True, delete=True) == shown
    kept = {name: digest for name, digest in contents(grown / "data").items() if name != "dataset.json"}
    assert {name: digest for name, digest in contents(unfinished / "data").items() if name != "dataset.json"} == kept
    assert Dataset.open(root).under_way is None
    assert prune(root, delete=True).paths == ()
    # A build of the same catalog may start again, with or without corrections.
    assert build(str(unfinished / "catalog.csv"), root, ALL_MAY_FAIL).built == (1,)
    assert verify(root, deep=True).problems == ()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("first_one", [False, True])
def test_giving_up_that_is_killed_anywhere_is_continued_by_itself_and_by_a_build(
    first_one: bool, half_done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = str(half_done / "catalog.csv")
    if first_one:
        shutil.rmtree(half_done / "data")
        with pytest.raises(UserError, match="3 of 10 tracks were rejected"):
            build(catalog, str(half_done / "data"), dataclasses.replace(ONE, max_reject_rate=0.2))
    step, ended = 0, False
    while not ended:
        step, calls = step + 1, 0

        def killing(function: Callable[..., object], least: int = step) -> Callable[..., object]:
            def counted(*arguments: object) -> object:
                nonlocal calls
                calls += 1
                if calls == least:
                    raise Killed
                return function(*arguments)

            return counted

        root = Path(shutil.copytree(half_done / "data", tmp_path / str(step)))
        with monkeypatch.context() as patched:
            for module in (pipeline.removal.leftovers, pipeline.removal.unfinished):
                for name in {"remove", "remove_tree", "write_atomic"} & set(vars(module)):
                    patched.setattr(module, name, killing(getattr(module, name)))
            try:
                prune(str(root), [], unfinished=True, delete=True)
                ended = True
            except Killed:
                pass
        if not ended and (root / "dataset.json").exists():
            again = Path(shutil.copytree(root, tmp_path / f"{step} again"))
            prune(str(again), [], unfinished=True, delete=True)
            assert first_one == (list(again.iterdir()) == [])
        if ended or step % 3 == 1:  # a build takes a second
            assert build(catalog, str(root), ALL_MAY_FAIL).tracks == OLD + ADDED
            assert verify(str(root), deep=True).problems == ()
    assert step > 5


def test_a_take_down_outlives_a_first_build_that_is_given_up(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 6, missing=3), str(tmp_path / "data")
    with pytest.raises(UserError, match="3 of 6 tracks were rejected"):
        build(catalog, root, ONE)
    (tmp_path / "gone.txt").write_text("01\n")
    remove(root, str(tmp_path / "gone.txt"))
    prune(root, [], unfinished=True, delete=True)
    assert build(catalog, root, ALL_MAY_FAIL).tracks == 5
    assert "01" not in Dataset.open(root).newest_tracks()["track_id"].to_pylist()


def test_a_payload_that_is_gone_is_found_before_its_generation_is_closed(half_done: Path) -> None:
    payload = next((half_done / "data" / "features").glob("logmel-*/gen-001/part-*.tfrecord"))
    payload.unlink()
    with pytest.raises(
        DatasetError, match=r"the payload is missing though its done mark is there; remove \S+json"
    ) as error:
        build(str(half_done / "catalog.csv"), str(half_done / "data"), ALL_MAY_FAIL)
    Path(str(error.value).split("; remove ")[1].split(",")[0]).unlink()
    build(str(half_done / "catalog.csv"), str(half_done / "data"), ALL_MAY_FAIL)
    assert verify(str(half_done / "data"), deep=True).problems == ()


def test_a_half_done_shard_is_written_anew_if_a_track_was_taken_out_since(half_done: Path) -> None:
    root = half_done / "data"
    next((root / "features").glob("logmel-*/gen-001/part-*.json")).unlink()
    (half_done / "gone.txt").write_text("06\n")
    remove(str(root), str(half_done / "gone.txt"), purge=True)
    build(str(half_done / "catalog.csv"), str(root), ALL_MAY_FAIL)
    assert _holding(root, "06") == []
    assert verify(str(root), deep=True).problems == ()


def test_a_first_build_that_is_given_up_leaves_an_empty_folder(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 4, missing=4), tmp_path / "data"
    with pytest.raises(UserError, match="4 of 4 tracks were rejected"):
        build(catalog, str(root), ONE)
    with pytest.raises(UserError, match="its build is unfinished"):
        prune(str(root))
    prune(str(root), [], unfinished=True, delete=True)
    assert list(root.iterdir()) == []
    summary = build(small_catalog(tmp_path, 4), str(root), dataclasses.replace(ONE, excerpt="start:1"))
    assert summary.records == 4


def test_a_plan_that_cannot_be_read_can_be_given_up(refused: Path) -> None:
    root = refused / "data"
    (root / "plan" / "gen-001.parquet").write_bytes(b"PAR1 and nothing else")
    assert verify(str(root)).problems == ()
    (refused / "gone.txt").write_text("00\n")
    assert remove(str(root), str(refused / "gone.txt")).removed == 1
    prune(str(root), [], unfinished=True, delete=True)
    assert build(str(refused / "catalog.csv"), str(root), ALL_MAY_FAIL).built == (1,)


def test_what_a_build_is_writing_is_not_given_up(half_done: Path) -> None:
    root = str(half_done / "data")
    temporary = next((half_done / "data" / "features").glob("*/gen-001")) / ".tmp-half"
    temporary.write_bytes(b"x")
    with sole_writer(root):
        with pytest.raises(UserError, match=r"a build is writing gen-001 is under way .* stop it first"):
            prune(root, [], unfinished=True, delete=True)
        assert prune(root, delete=True).paths == ()
    assert [path.uri for path in prune(root, delete=True).paths] == [str(temporary)]


def test_rows_struck_out_of_the_catalog_accept_that_they_are_not_there(refused: Path) -> None:
    root = str(refused / "data")
    rows = (refused / "catalog.csv").read_text().splitlines()
    (refused / "catalog.csv").write_text("\n".join(rows[:-3]) + "\n")
    summary = build(str(refused / "catalog.csv"), root, ONE)
    assert (summary.built, summary.records) == ((1,), OLD + ADDED - 3)
    assert verify(root, deep=True).problems == ()


def test_a_mended_uri_is_tried_again_by_itself(refused: Path) -> None:
    root, catalog = str(refused / "data"), refused / "catalog.csv"
    soundfile.write(refused / "found.wav", np.random.default_rng(7).normal(scale=0.1, size=16_000), 16_000)
    catalog.write_text(catalog.read_text().replace("07.wav", "found.wav").replace("08.wav", "00.wav"))
    with pytest.raises(UserError, match="1 of 10 tracks were rejected"):
        build(str(catalog), root, dataclasses.replace(ONE, max_reject_rate=0.05))
    catalog.write_text(catalog.read_text().replace("09.wav", "01.wav"))
    summary = build(str(catalog), root, ONE)
    assert (summary.records, summary.rejects) == (OLD + ADDED, {})
    assert build(str(catalog), root, ONE).built == ()
    assert verify(root, deep=True).problems == ()


def test_a_reject_whose_uri_is_the_same_is_not_tried_again_by_itself(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 4, missing=1), str(tmp_path / "data")
    build(catalog, root, ALL_MAY_FAIL)
    small_catalog(tmp_path, 4)
    assert build(catalog, root, ALL_MAY_FAIL).built == ()
    Path(catalog).write_text(Path(catalog).read_text().replace("03.wav", "./03.wav"))
    assert build(catalog, root, ALL_MAY_FAIL).records == 4


@pytest.mark.parametrize("purge", [False, True])
def test_a_take_down_works_always(unfinished: Path, purge: bool) -> None:
    root = unfinished / "data"
    # One track is in the finished generation, one is done in the generation under way, and one is still to come.
    (unfinished / "gone.txt").write_text("00\n06\n07\n")
    with sole_writer(str(root)):  # removals work also while a build is running
        summary = remove(str(root), str(unfinished / "gone.txt"), purge=purge)
    assert (summary.removed, summary.unknown[0]) == (3, 0)
    assert str(summary.under_way).startswith("gen-001 is under way")
    assert "00" not in Dataset.open(str(root)).newest_tracks()["track_id"].to_pylist()
    if purge:
        assert _holding(root, "00", "06") == []
    built = build(str(unfinished / "catalog.csv"), str(root), ALL_MAY_FAIL)
    assert (built.tracks, built.removed) == (OLD + ADDED - 3, 3)
    assert not {"00", "06", "07"} & set(Dataset.open(str(root)).newest_tracks()["track_id"].to_pylist())
    if purge:
        assert _holding(root, "00", "06") == []
    assert verify(str(root), deep=True).problems == ()


def test_a_take_down_of_a_first_build_that_is_not_finished_works_too(tmp_path: Path) -> None:
    catalog, root = small_catalog(tmp_path, 6, missing=3), tmp_path / "data"
    with pytest.raises(UserError, match="3 of 6 tracks were rejected"):
        build(catalog, str(root), ONE)
    (tmp_path / "gone.txt").write_text("01\n")
    assert remove(str(root), str(tmp_path / "gone.txt"), purge=True).purged_payloads == 2
    assert _holding(root, "01") == []
    assert build(catalog, str(root), ALL_MAY_FAIL).tracks == 5
    assert verify(str(root), deep=True).problems == ()


@pytest.fixture
def leaving(grown: Path, tmp_path: Path) -> Path:
    """A copy of `grown` with a list, `gone.txt`, of one track that is still to be decoded: 06."""
    folder = Path(shutil.copytree(grown, tmp_path / "grown"))
    (folder / "gone.txt").write_text("06\n")
    return folder


def test_what_is_taken_out_while_its_shard_is_written_is_not_stored(
    leaving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = leaving / "data"
    track, seen = pipeline.decode.shards.ShardWriter._track, []

    def removing(self: object, planned: dict[str, object], *rest: object) -> object:
        row = track(self, planned, *rest)  # type: ignore[arg-type]
        if planned["track_id"] == "06" and not seen:
            seen.append(planned)
            remove(str(root), str(leaving / "gone.txt"), purge=True)
        return row

    monkeypatch.setattr(pipeline.decode.shards.ShardWriter, "_track", removing)
    build(str(leaving / "catalog.csv"), str(root), ALL_MAY_FAIL)
    assert seen
    assert _holding(root, "06") == []
    rows = Dataset.open(str(root)).tracks_of(1).to_pylist()
    assert [row["cause"] for row in rows if row["track_id"] == "06"] == ["removed"]
    assert verify(str(root), deep=True).problems == ()


def test_what_is_purged_after_its_shard_was_written_is_erased_when_the_generation_is_closed(
    leaving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The test removes a track between a shard's last check of the tombstones and its done marks."""
    root = leaving / "data"
    publish = pipeline.decode.shards.PayloadFile.publish
    seen: list[object] = []

    def removing(self: pipeline.decode.shards.PayloadFile) -> None:
        if not seen:
            seen.append(remove(str(root), str(leaving / "gone.txt"), purge=True))
        publish(self)

    monkeypatch.setattr(pipeline.decode.shards.PayloadFile, "publish", removing)
    build(str(leaving / "catalog.csv"), str(root), dataclasses.replace(ALL_MAY_FAIL, shards=1))
    assert _holding(root, "06") == []
    assert verify(str(root), deep=True).problems == ()


def test_a_purge_takes_away_whatever_killed_commands_left_of_a_track(dataset: Path, small_corpus: SmallCorpus) -> None:
    payload = next((dataset / "features").glob("logmel-*/gen-000/part-00001-*.tfrecord"))
    strays = [
        dataset / "features" / "logmel-000000000000" / "gen-000" / payload.name,
        payload.parent.parent / "gen-003" / payload.name,
        payload.with_name("part-00001-0123456789abcdef.tfrecord"),
        payload.with_name("part-00003-0123456789abcdef.tfrecord"),
        payload.with_name(".tmp-killed"),
        dataset / "features" / ".tmp-killed",
    ]
    for stray in strays:
        stray.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(payload, stray)
    track = (
        pq.read_table(dataset / "plan" / "gen-000.parquet")
        .filter(pq.read_table(dataset / "plan" / "gen-000.parquet")["shard"].to_numpy() == 1)["track_id"][0]
        .as_py()
    )
    assert len(_holding(dataset, track)) == len(strays) + 2
    (dataset.parent / "gone.txt").write_text(track, encoding="utf-8")
    remove(str(dataset), str(dataset.parent / "gone.txt"), purge=True)
    assert _holding(dataset, track) == []
    assert not any(stray.exists() for stray in strays)
    assert Dataset.open(str(dataset)).newest_tracks().num_rows == TRACKS - 1
    assert verify(str(dataset), deep=True).problems == ()


def _holding(root: Path, *tracks: str) -> list[Path]:
    """Files with features that contain an id in the form in which an Example holds it."""
    needles = [b"\x0a" + bytes([len(track.encode())]) + track.encode() for track in tracks]
    files = [path for path in (root / "features").rglob("*") if path.is_file() and path.suffix != ".json"]
    return [path for path in files if any(needle in path.read_bytes() for needle in needles)]
