from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.labels.overlay import LabelSummary, lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import existing_split, make_split, split_version
from pipeline.labels.summary import label_report
from pipeline.verify import verify
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.json_log import log_bytes
from schemas.label_version import open_labels
from schemas.storage.stored_tables import table_bytes
from schemas.tables import SPLIT


def _lay(dataset: Path, small_corpus, label_set: str, *annotations: str) -> LabelSummary:
    path = dataset.parent / "set.yaml"
    path.write_text(label_set, encoding="utf-8")
    return lay_labels(str(dataset), annotations or [small_corpus.annotations], str(path))


def _table(dataset: Path, summary: LabelSummary) -> dict[str, dict[str, float | None]]:
    """Track -> tag -> value of a version."""
    folder = dataset / "labels" / summary.name / summary.version
    vocabulary = (folder / "vocabulary.txt").read_text(encoding="utf-8").splitlines()
    return {
        row["track_id"]: {vocabulary[tag]: value for tag, value in zip(row["tags"], row["values"], strict=True)}
        for row in pq.read_table(folder / "labels.parquet").to_pylist()
    }


def _annotations(tmp_path: Path, text: str) -> str:
    path = tmp_path / "own.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_labels_are_the_annotations(dataset: Path, small_corpus) -> None:
    summary = _lay(dataset, small_corpus, "name: mine\n")
    expected: dict[str, dict[str, float]] = {row[0]: {} for row in small_corpus.rows}
    for line in Path(small_corpus.annotations).read_text(encoding="utf-8").splitlines()[1:]:
        track, tag = line.split(",")
        expected[track][tag] = 1.0
    assert _table(dataset, summary) == expected
    assert summary.unlabelled == sum(not tags for tags in expected.values())
    assert sum(summary.tracks.values()) == len(expected)
    assert sum(map(sum, summary.positives.values())) == sum(map(len, expected.values()))


def test_labelling_opens_no_payload_and_touches_nothing_of_the_features(dataset: Path, small_corpus, contents) -> None:
    for payload in dataset.rglob("*.tfrecord"):
        payload.write_bytes(b"nobody may read this")
    before = contents(dataset, below="features")
    _lay(dataset, small_corpus, "name: mine\n")
    assert contents(dataset, below="features") == before


def test_labelling_works_where_there_are_no_features_at_all(dataset: Path, small_corpus) -> None:
    with_features = _lay(dataset, small_corpus, "name: mine\n")
    shutil.rmtree(dataset / "labels")
    shutil.rmtree(dataset / "features")
    assert _lay(dataset, small_corpus, "name: mine\n") == with_features
    assert not (dataset / "features").exists()


def test_the_same_input_gives_the_same_version_in_any_order_of_rows(dataset: Path, small_corpus, contents) -> None:
    first = _lay(dataset, small_corpus, "name: mine\n")
    before = contents(dataset)
    header, *rows = Path(small_corpus.annotations).read_text(encoding="utf-8").splitlines()
    shuffled = _annotations(dataset.parent, "\n".join([header, *reversed(rows)]) + "\n")
    again = _lay(dataset, small_corpus, "name: mine\n", shuffled)
    assert (again.version, first.is_new, again.is_new) == (first.version, True, False)
    assert contents(dataset) == before


def test_versions_lie_side_by_side_and_the_log_keeps_their_order_also_back_to_an_old_one(
    dataset: Path, small_corpus, contents
) -> None:
    a, b = "name: mine\ntags: [low, noise]\n", "name: mine\ntags: [noise, tremolo]\n"
    first = _lay(dataset, small_corpus, a)
    kept = contents(dataset, below=f"labels/mine/{first.version}")
    second, third = _lay(dataset, small_corpus, b), _lay(dataset, small_corpus, a)
    assert third.version == first.version != second.version
    assert first.diff is None
    assert (second.diff.tags_added, second.diff.tags_removed) == (("tremolo",), ("low",))
    assert third.diff.tracks_changed == second.diff.tracks_changed > 0
    log = [json.loads(line) for line in (dataset / "labels" / "mine" / "log.jsonl").read_text().splitlines()]
    assert [line["version"] for line in log] == [first.version, second.version, first.version]
    assert log[0]["tags_added"] == ["low", "noise"]
    assert (log[2]["since"], log[2]["tags_added"], log[2]["tags_removed"]) == (
        f"mine@{second.version}",
        ["low"],
        ["tremolo"],
    )
    assert log[2]["tracks_changed"] == third.diff.tracks_changed
    assert open_labels(Dataset.open(str(dataset)), "mine").manifest.version == first.version
    assert open_labels(Dataset.open(str(dataset)), f"mine@{second.version}").vocabulary == ("noise", "tremolo")
    assert contents(dataset, below=f"labels/mine/{first.version}") == kept


def test_synonyms_are_merged_the_largest_value_counting(dataset: Path, small_corpus) -> None:
    tracks = [row[0] for row in small_corpus.rows[:4]]
    own = _annotations(
        dataset.parent,
        "track_id,tag,value\n"
        f"{tracks[0]},vocal,0.2\n{tracks[0]},voice,0.9\n{tracks[1]},voice,\n{tracks[1]},vocal,0.4\n{tracks[2]},vocal,\n"
        f"{tracks[3]},other,1\n",
    )
    text = "name: mine\nmerge: {vocals: [vocal, voice]}\nexclude: [other]\nvalues: graded\n"
    table = _table(dataset, _lay(dataset, small_corpus, text, own))
    assert table[tracks[0]] == {"vocals": pytest.approx(0.9)}
    assert table[tracks[1]] == {"vocals": pytest.approx(0.4)}
    assert table[tracks[2]] == {"vocals": None}
    assert table[tracks[3]] == {}


def test_a_positive_child_sets_its_parents_and_theirs(dataset: Path, small_corpus) -> None:
    tracks = [row[0] for row in small_corpus.rows[:6]]
    own = _annotations(
        dataset.parent,
        "track_id,tag,value\n"
        f"{tracks[0]},bebop,0.8\n{tracks[1]},bebop,0.3\n{tracks[2]},bebop,1\n{tracks[2]},jazz,0\n"
        f"{tracks[3]},bop,0.6\n{tracks[3]},music,0.9\n{tracks[4]},bebop,\n{tracks[5]},jazz,1\n",
    )
    text = (
        "name: mine\nmerge: {bebop: [bop]}\nhierarchy: {jazz: [bebop], music: [jazz]}\nvalues: graded\n"
        "positive_at: 0.5\n"
    )
    summary = _lay(dataset, small_corpus, text, own)
    table = {
        track: {tag: None if value is None else round(value, 3) for tag, value in tags.items()}
        for track, tags in _table(dataset, summary).items()
    }
    assert table[tracks[0]] == {"bebop": 0.8, "jazz": 0.8, "music": 0.8}
    assert table[tracks[1]] == {"bebop": 0.3}
    assert table[tracks[2]] == {"bebop": 1, "jazz": 1, "music": 1}
    assert table[tracks[3]] == {"bebop": 0.6, "jazz": 0.6, "music": 0.9}
    assert table[tracks[4]] == {"bebop": None}
    assert table[tracks[5]] == {"jazz": 1, "music": 1}
    assert summary.raised == 1
    assert sum(map(sum, summary.positives.values())) == 3 + 4 + 4


def test_a_parent_without_annotations_is_made_and_reported(dataset: Path, small_corpus) -> None:
    summary = _lay(dataset, small_corpus, "name: mine\nhierarchy: {sound: [low, noise]}\n")
    plain = _lay(dataset, small_corpus, "name: plain\n")
    assert summary.made == ("sound",)
    table = _table(dataset, plain)
    expected = {track for track, tags in table.items() if {"low", "noise"} & set(tags)}
    assert {track for track, tags in _table(dataset, summary).items() if "sound" in tags} == expected


def test_binary_labels_count_from_positive_at_and_keep_known_negatives_where_missing_is_unknown(
    dataset: Path, small_corpus
) -> None:
    tracks = [row[0] for row in small_corpus.rows[:2]]
    own = _annotations(dataset.parent, f"track_id,tag,value\n{tracks[0]},a,0.6\n{tracks[1]},a,0.4\n")
    for missing, second in (("negative", {}), ("unknown", {"a": 0.0})):
        text = f"name: {missing}\npositive_at: 0.5\nmissing: {missing}\n"
        table = _table(dataset, _lay(dataset, small_corpus, text, own))
        assert table[tracks[0]] == {"a": 1.0}
        assert table[tracks[1]] == second


def test_top_min_tracks_and_tags_choose_the_vocabulary(dataset: Path, small_corpus) -> None:
    tracks = [row[0] for row in small_corpus.rows]
    rows = [f"{track},a" for track in tracks[:3]] + [f"{track},b" for track in tracks[:5]] + [f"{tracks[0]},c"]
    own = _annotations(dataset.parent, "track_id,tag\n" + "\n".join(rows) + "\n")
    chosen = {
        "name: x\n": ("b", "a", "c"),
        "name: x\ntop: 2\n": ("b", "a"),
        "name: x\nmin_tracks: 3\n": ("b", "a"),
        "name: x\ntags: [c, b]\n": ("c", "b"),
        "name: x\ntags: [c, b]\nmin_tracks: 2\n": ("b",),
    }
    for text, vocabulary in chosen.items():
        assert _lay(dataset, small_corpus, text, own).vocabulary == vocabulary


def test_tracks_without_any_tag_are_dropped_on_request(dataset: Path, small_corpus) -> None:
    kept = _lay(dataset, small_corpus, "name: a\ntags: [low]\n")
    dropped = _lay(dataset, small_corpus, "name: a\ntags: [low]\nunlabelled: drop\n")
    assert kept.unlabelled == dropped.unlabelled > 0
    assert sum(kept.tracks.values()) - sum(dropped.tracks.values()) == dropped.unlabelled


def test_annotated_tracks_that_the_dataset_lacks_are_counted_and_named(dataset: Path, small_corpus) -> None:
    own = _annotations(dataset.parent, f"track_id,tag\n{small_corpus.rows[0][0]},a\nfar,a\naway,b\n")
    summary = _lay(dataset, small_corpus, "name: mine\n", own)
    assert summary.foreign_tracks == (2, ("away", "far"))
    assert summary.vocabulary == ("a",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: mine\ntags: [low, nose]\n", "tags: the tag 'nose' is in no annotation; did you mean 'noise'?"),
        ("name: mine\nmerge: {x: [lo]}\n", "merge: the tag 'lo' is in no annotation; did you mean 'low'?"),
        ("name: mine\nexclude: [tremulo]\n", "exclude: the tag 'tremulo' is in no annotation; did you mean 'tremolo'?"),
        (
            "name: mine\nhierarchy: {sound: [Low]}\n",
            "hierarchy: the tag 'Low' is in no annotation; did you mean 'low'?",
        ),
        ("name: mine\nmin_tracks: 1000\n", "no tag is left"),
    ],
)
def test_a_label_set_that_does_not_fit_writes_nothing(dataset: Path, small_corpus, text: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        _lay(dataset, small_corpus, text)
    assert words in str(refused.value)
    assert not (dataset / "labels").exists()
    if "no annotation" in words:
        assert not (dataset / "splits").exists()


def test_the_command_shows_positives_and_warns_of_what_is_missing(dataset: Path, small_corpus, run_pipeline) -> None:
    ended = run_pipeline(
        "label", "--dataset", dataset, "--annotations", small_corpus.annotations, "--label-set", small_corpus.label_set
    )
    assert ended.returncode == 0, ended.stderr
    assert "small@" in ended.stdout
    assert all(f"  {tag}" in ended.stdout for tag in ("low", "noise", "tremolo"))
    refused = run_pipeline(
        "label", "--dataset", dataset, "--annotations", small_corpus.annotations, "--label-set", dataset / "no.yaml"
    )
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1


def test_tags_that_differ_in_case_or_white_space_are_reported_unless_merged(dataset: Path, small_corpus) -> None:
    track = small_corpus.rows[0][0]
    own = _annotations(
        dataset.parent, f"track_id,tag\n{track},Hip Hop\n{track},hip  hop\n{track},Café\n{track},Cafe\u0301\n"
    )
    plain = _lay(dataset, small_corpus, "name: mine\n", own)
    assert plain.variants == (("Cafe\u0301", "Café"), ("Hip Hop", "hip  hop"))
    assert len(plain.vocabulary) == 4
    merged = _lay(dataset, small_corpus, "name: mine\nmerge: {Hip Hop: ['hip  hop'], Café: [\"Cafe\u0301\"]}\n", own)
    assert merged.variants == ()
    assert len(merged.vocabulary) == 2


def test_strange_tags_go_through_as_they_are(dataset: Path, small_corpus) -> None:
    track = small_corpus.rows[0][0]
    tags = ["a|b", "日本の歌", "a,b", 'say "x"', "line\u2028separator", "tab\tbed"]
    own = dataset.parent / "own.jsonl"
    own.write_text("\n".join(json.dumps({"track_id": track, "tag": tag}) for tag in tags), encoding="utf-8")
    summary = _lay(dataset, small_corpus, "name: mine\n", str(own))
    assert sorted(summary.vocabulary) == sorted(tags)
    assert open_labels(Dataset.open(str(dataset)), "mine").vocabulary == summary.vocabulary
    again = _lay(dataset, small_corpus, "name: mine\nexclude: [a|b]\n", str(own))
    assert again.diff.tags_removed == ("a|b",)
    assert again.diff.tags_added == ()


def test_a_tag_with_a_line_break_is_refused_only_where_it_would_be_in_the_vocabulary(
    dataset: Path, small_corpus
) -> None:
    track = small_corpus.rows[0][0]
    own = _annotations(dataset.parent, f'track_id,tag\n{track},"two\nlines"\n{track},fine\n')
    with pytest.raises(UserError, match=r"'two\\nlines' has a line break in it.*leave it out with `exclude`"):
        _lay(dataset, small_corpus, "name: mine\n", own)
    assert _lay(dataset, small_corpus, 'name: mine\nmerge: {one line: ["two\\nlines"]}\n', own).vocabulary == (
        "fine",
        "one line",
    )


def test_tags_with_letters_that_python_takes_for_line_ends_are_whole_for_every_reader(
    dataset: Path, small_corpus
) -> None:
    tags = [f"a{letter}b" for letter in "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"]
    tracks = [row[0] for row in small_corpus.rows]
    own = _annotations(
        dataset.parent, "track_id,tag\n" + "".join(f"{track},{tag}\n" for track in tracks for tag in tags)
    )
    summary = _lay(dataset, small_corpus, "name: mine\n", own)
    assert summary.vocabulary == tuple(sorted(tags))
    assert open_labels(Dataset.open(str(dataset)), "mine").vocabulary == summary.vocabulary
    assert verify(str(dataset)).problems == ()
    again = _lay(dataset, small_corpus, f"name: mine\ntags: [{', '.join(tags[5:])}]\n", own)
    assert again.vocabulary == tuple(tags[5:])
    assert again.diff.tags_removed == tuple(sorted(tags[:5]))


def test_a_hundred_thousand_tags_are_no_trouble_and_a_misspelt_one_finds_its_neighbour(
    dataset: Path, small_corpus
) -> None:
    tracks = [row[0] for row in small_corpus.rows]
    rows = "".join(f"{tracks[number % len(tracks)]},tag {number:06d}\n" for number in range(100_000))
    own = _annotations(dataset.parent, f"track_id,tag\n{rows}{tracks[0]},rock\n{tracks[1]},rock\n")
    assert _lay(dataset, small_corpus, "name: mine\n", own).vocabulary[0] == "rock"
    with pytest.raises(UserError, match="did you mean 'rock'"):
        _lay(dataset, small_corpus, "name: mine\ntags: [rokc]\n", own)


def test_a_damaged_version_before_does_not_stand_in_the_way(dataset: Path, small_corpus) -> None:
    first = _lay(dataset, small_corpus, "name: mine\ntags: [low]\n")
    (dataset / "labels" / "mine" / first.version / "labels.json").write_text("{}")
    second = _lay(dataset, small_corpus, "name: mine\ntags: [noise]\n")
    assert second.diff is None
    assert "labels.json" in second.not_compared


def test_a_label_set_keeps_its_split_until_another_is_asked_for(dataset: Path, small_corpus) -> None:
    opened = Dataset.open(str(dataset))
    for name, salt in (("wide", "a"), ("other", "b")):
        make_split(opened, name, SplitMethod((50, 25, 25), salt))
    first = _lay(dataset, small_corpus, "name: mine\ntags: [low]\nsplit: wide\n")
    second = _lay(dataset, small_corpus, "name: mine\ntags: [noise]\n")
    assert (first.split[0], second.split) == ("wide", first.split)
    assert second.diff.tracks_moved == 0
    assert "lies on the split" not in str(label_report(second, str(dataset)))

    named = _lay(dataset, small_corpus, "name: mine\ntags: [low]\nsplit: other\n")
    assert named.split == first.split
    assert "the split stays wide; `split: other` in the file" in str(label_report(named, str(dataset)))

    path = str(dataset.parent / "set.yaml")
    moved = lay_labels(str(dataset), [small_corpus.annotations], path, "other")
    sides = [
        dict(zip(table["track_id"].to_pylist(), table["split"].to_pylist(), strict=True))
        for table in (existing_split(opened, name).table for name in ("wide", "other"))
    ]
    into_train = sum(sides[0][track] != "train" == sides[1][track] for track in sides[0])
    assert (moved.split[0], moved.split_before, moved.into_train) == ("other", "wide", into_train)
    assert into_train > 0
    said = str(label_report(moved, str(dataset)))
    assert "warning: the version before lies on the split wide, this one on other: " in said
    assert (
        f"{moved.diff.tracks_moved} tracks changed sides, {into_train} of validation or test are in train now" in said
    )
    assert _lay(dataset, small_corpus, "name: mine\n").split[0] == "other"


def test_the_split_of_a_version_that_the_log_does_not_name_is_read_from_its_manifest(
    dataset: Path, small_corpus
) -> None:
    make_split(Dataset.open(str(dataset)), "wide", SplitMethod((50, 25, 25)))
    path = dataset.parent / "set.yaml"
    path.write_text("name: mine\n")
    lay_labels(str(dataset), [small_corpus.annotations], str(path), "wide")
    log = dataset / "labels" / "mine" / "log.jsonl"
    line = json.loads(log.read_text())
    assert line.pop("split") == "wide"
    log.write_text(json.dumps(line) + "\n")
    assert lay_labels(str(dataset), [small_corpus.annotations], str(path)).split[0] == "wide"
    log.write_bytes(log_bytes([{"version": line["version"], "tracks": line["tracks"]}]))
    (dataset / "labels" / "mine" / line["version"] / "labels.json").write_text("{}")
    with pytest.raises(UserError, match="expected the split of its newest version.*name it with --split"):
        lay_labels(str(dataset), [small_corpus.annotations], str(path))


def test_a_side_without_a_share_is_the_users_wish_and_what_needs_it_is_reported(dataset: Path, small_corpus) -> None:
    make_split(Dataset.open(str(dataset)), "two", SplitMethod((90, 0, 10)))
    path = dataset.parent / "set.yaml"
    path.write_text("name: mine\n")
    summary = lay_labels(str(dataset), [small_corpus.annotations], str(path), "two")
    assert summary.tracks["validation"] == 0
    assert "warning: there is no validation track: `train` refuses these labels" in str(
        label_report(summary, str(dataset))
    )


def test_labels_are_not_laid_over_a_split_with_an_empty_side(dataset: Path, small_corpus) -> None:
    made = make_split(Dataset.open(str(dataset)), "default", None)
    table = made.table.set_column(1, SPLIT.field("split"), pa.array(["train"] * made.table.num_rows))
    folder, version = dataset / "splits" / "default", split_version(table)
    (folder / f"{version}.parquet").write_bytes(table_bytes(table))
    line = {"version": version, "made": made.method.to_dict(), "tracks": table.num_rows}
    (folder / "log.jsonl").write_bytes(log_bytes([line]))
    with pytest.raises(UserError, match="has no validation and no test track.*--name default-2 --ratios 80,10,10`"):
        _lay(dataset, small_corpus, "name: mine\n")
    assert not (dataset / "labels").exists()
