"""Lay a label set over a dataset: a new version of small files; no feature payload is opened."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labels.annotations import Annotations, read_annotations, spelling_variants
from pipeline.labels.diff import LabelDiff, label_diff
from pipeline.labels.label_set import LabelSet, read_label_set
from pipeline.labels.label_table import choose_vocabulary, label_table, positives
from pipeline.labels.splits import DEFAULT_SPLIT, existing_split, make_split, require_filled
from pipeline.labels.tag_rows import related, rows_of
from schemas.console.errors import TagscaleError, UserError, did_you_mean
from schemas.console.terminal import say
from schemas.dataset import Dataset
from schemas.json_log import log_bytes, whole_entries
from schemas.label_version import LabelVersion, label_set_names, labels_version, open_labels, read_label_files
from schemas.labels_manifest import LabelsManifest
from schemas.sole_writer import changing
from schemas.storage.files import exists, join, list_names, write_atomic
from schemas.storage.stored_tables import table_bytes
from schemas.tables import SPLITS


@dataclasses.dataclass(frozen=True)
class LabelSummary:
    """Results of laying a label set over a dataset.

    Attributes:
        name: Name of the label set.
        version: Hash of the version.
        is_new: False if this version already existed.
        vocabulary: Tags in output order.
        positives: Number of positive tracks of each tag per split, in the order of the vocabulary.
        tracks: Number of rows of the label table per split.
        unlabelled: Number of tracks without any tag of the vocabulary.
        split: Name and version of the split.
        split_before: Name of the previous version's split; None for the first version.
        split_of_file: Name of the split in the label set's file; None if it names none.
        into_train: Number of tracks in validation or test in the previous version, but in train in this one.
        straddling, groups_apart: As in `Split`.
        foreign_tracks: Number of annotated tracks that the dataset does not hold, and the first few.
        overruled: Number of annotation rows that an earlier file overruled.
        repeated: Number of annotation rows that repeat an earlier one.
        raised: Number of annotations of a tag that a positive child of it overruled.
        variants: Tags of the annotations that differ only in case or white space, and are not merged.
        made: Tags of the vocabulary that no annotation names: targets of merges and parents.
        diff: Changes since the previous version; None for the first.
        not_compared: Why the previous version could not be compared; None if it was, or if there is none.
    """

    name: str
    version: str
    is_new: bool
    vocabulary: tuple[str, ...]
    positives: dict[str, tuple[int, ...]]
    tracks: dict[str, int]
    unlabelled: int
    split: tuple[str, str]
    split_before: str | None
    split_of_file: str | None
    into_train: int
    straddling: tuple[int, tuple[str, ...]]
    groups_apart: tuple[int, tuple[str, ...]]
    foreign_tracks: tuple[int, tuple[str, ...]]
    overruled: int
    repeated: int
    raised: int
    variants: tuple[tuple[str, ...], ...]
    made: tuple[str, ...]
    diff: LabelDiff | None
    not_compared: str | None


def lay_labels(
    root: str, annotation_uris: str | Sequence[str], label_set_uri: str, split: str | None = None
) -> LabelSummary:
    """Create a version of a label set over a dataset.

    >>> from pipeline import lay_labels
    >>> laid = lay_labels("data", "annotations.csv", "tags.yaml")
    >>> laid.name, sorted(laid.vocabulary)
    ('mine', ['bass', 'noise', 'tremolo'])

    Args:
        root: Folder of the dataset.
        annotation_uris: One annotation file or several; an earlier one wins where they disagree.
        label_set_uri: YAML file of the label set.
        split: Name of an existing split. None takes that of the label set's newest version, so that no track changes sides by
            accident; without a version, the one that the file names; or else the split `default`, which is made if
            necessary.

    Raises:
        UserError: the dataset, an annotation file, the label set or the split is wrong, a side of the split is empty, or no
            tag is left.
    """
    label_set = read_label_set(label_set_uri)
    dataset = Dataset.open(root)
    annotations = read_annotations(annotation_uris)
    _check_known(label_set, annotations, label_set_uri)
    had = split_before(dataset, label_set.name, asked=split is not None)
    chosen = split or had or label_set.split
    sides = existing_split(dataset, chosen) if chosen else make_split(dataset, DEFAULT_SPLIT, None)
    require_filled(dataset, sides)
    rows, foreign = rows_of(annotations, sides.table["track_id"])
    rows, raised = related(rows, label_set)
    vocabulary = choose_vocabulary(rows, label_set, label_set_uri)
    table, unlabelled = label_table(rows, vocabulary, label_set, sides.table)
    del rows
    manifest = LabelsManifest(
        name=label_set.name,
        version=labels_version(vocabulary, table, label_set.to_dict()),
        label_set=label_set.to_dict(),
        annotations_sha256=annotations.sha256,
        split={"name": sides.name, "version": sides.version},
        generations=sides.generations,
        counts={"tracks": table.num_rows, "tags": len(vocabulary), **_counts(table)},
    )
    laid = LabelVersion(manifest, vocabulary, table)
    with changing(dataset.layout):
        before, not_compared = _version_before(dataset, label_set.name)
        diff = None if before is None else label_diff(before, laid)
        is_new = _write_version(dataset, laid)
        _log_version(dataset, laid, diff)
    known = set(annotations.tags)
    return LabelSummary(
        name=label_set.name,
        version=manifest.version,
        is_new=is_new,
        vocabulary=vocabulary,
        positives={
            side: tuple(
                positives(table.filter(pc.equal(table["split"], side)), len(vocabulary), label_set.positive_at).tolist()
            )
            for side in SPLITS
        },
        tracks=_counts(table),
        unlabelled=unlabelled,
        split=(sides.name, sides.version),
        split_before=had,
        split_of_file=label_set.split,
        into_train=0 if before is None else _into_train(before, laid),
        straddling=sides.straddling,
        groups_apart=sides.groups_apart,
        foreign_tracks=(len(foreign), tuple(foreign[:3])),
        overruled=annotations.overruled,
        repeated=annotations.repeated,
        raised=raised,
        variants=spelling_variants(_unmerged(annotations.tags, label_set)),
        made=tuple(tag for tag in vocabulary if tag not in known),
        diff=diff,
        not_compared=not_compared,
    )


def _check_known(label_set: LabelSet, annotations: Annotations, uri: str) -> None:
    known = set(annotations.tags)
    made = {*label_set.merge, *label_set.hierarchy}
    named = [
        *(("tags", tag) for tag in label_set.tags if tag not in made),
        *(("merge", source) for group in label_set.merge.values() for source in group),
        *(("hierarchy", child) for group in label_set.hierarchy.values() for child in group if child not in made),
        *(("exclude", tag) for tag in label_set.exclude),
    ]
    for field, tag in named:
        if tag not in known:
            raise UserError(
                f"label set {uri}: {field}: the tag {tag!r} is in no annotation{did_you_mean(tag, sorted(known | made))}"
            )


def _unmerged(tags: Sequence[str], label_set: LabelSet) -> list[str]:
    """Tags that the label set neither excludes nor merges into others."""
    left_out = {*label_set.exclude, *(source for group in label_set.merge.values() for source in group)}
    return [tag for tag in tags if tag not in left_out]


def _counts(table: pa.Table) -> dict[str, int]:
    return {side: pc.sum(pc.equal(table["split"], side)).as_py() or 0 for side in SPLITS}


def split_before(dataset: Dataset, name: str, *, asked: bool) -> str | None:
    """Name of the split of a label set's newest version, as far as it can be read; None if there is no version.

    Raises:
        UserError: no version can be read, or the readable ones disagree, and no split was asked for.
    """
    log = dataset.layout.label_log(name)
    if name not in label_set_names(dataset):
        return None
    entries, _ = whole_entries(log) if exists(log) else ([], [])
    if entries and "split" in entries[-1]:
        return str(entries[-1]["split"])
    # The log predates this field, or is damaged or lost, so ask the versions themselves.
    versions = [entries[-1]["version"]] if entries else list_names(dataset.layout.label_set(name))
    found, problem = set(), "its log is damaged or lost"
    for version in versions:
        uri = join(dataset.layout.label_version(name, version), "labels.json")
        try:
            if entries or exists(uri):
                found.add(LabelsManifest.read(uri).split["name"])
        except TagscaleError as error:
            problem = str(error)
    if len(found) == 1:
        return found.pop()
    if asked:
        return None
    raise UserError(
        f"label set {name}: expected the split of its newest version: {problem}; name it with --split, so that no "
        "track changes sides"
    )


def _into_train(before: LabelVersion, after: LabelVersion) -> int:
    held_out = before.table.filter(pc.not_equal(before.table["split"], SPLITS[0]))["track_id"]
    train = after.table.filter(pc.equal(after.table["split"], SPLITS[0]))["track_id"]
    return pc.sum(pc.is_in(train, value_set=held_out.combine_chunks())).as_py() or 0


def _version_before(dataset: Dataset, name: str) -> tuple[LabelVersion | None, str | None]:
    """The newest version of a label set, and the reason if it cannot be read."""
    if name not in label_set_names(dataset):
        return None, None
    try:
        return open_labels(dataset, name), None
    except TagscaleError as error:  # the new version does not depend on it
        return None, str(error)


def _write_version(dataset: Dataset, laid: LabelVersion) -> bool:
    """Write a version's files, with its manifest last; returns False if the version already existed.

    A damaged version is rewritten, since its hash determines the content of its files.
    """
    folder = dataset.layout.label_version(laid.manifest.name, laid.manifest.version)
    was_there = exists(join(folder, "labels.json"))
    if was_there:
        try:
            read_label_files(dataset, laid.manifest.name, laid.manifest.version)
            return False
        except TagscaleError as error:
            say(f"warning: {error}: its files are rewritten", file=sys.stderr)
    write_atomic(join(folder, "vocabulary.txt"), "".join(f"{tag}\n" for tag in laid.vocabulary).encode())
    write_atomic(join(folder, "labels.parquet"), table_bytes(laid.table))
    write_atomic(join(folder, "labels.json"), laid.manifest.to_bytes())
    return not was_there


def _log_version(dataset: Dataset, laid: LabelVersion, diff: LabelDiff | None) -> None:
    """Append a version to the log unless it is already the newest there; damaged lines are dropped."""
    uri = dataset.layout.label_log(laid.manifest.name)
    entries, damage = whole_entries(uri) if exists(uri) else ([], [])
    for problem in damage:
        say(f"warning: {uri}: {problem}; the line is dropped, and the log is rewritten", file=sys.stderr)
    if not entries or entries[-1]["version"] != laid.manifest.version:
        changes = {"tags_added": list(laid.vocabulary)} if diff is None else {"since": diff.before, **diff.changes}
        split = laid.manifest.split["name"]
        entries.append({"version": laid.manifest.version, "tracks": laid.table.num_rows, "split": split, **changes})
    elif not damage:
        return
    write_atomic(uri, log_bytes(entries))
