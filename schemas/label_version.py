"""Open a version of a label set that lies over a dataset."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.console.errors import DatasetError, UserError, did_you_mean
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.features import FINGERPRINT_LENGTH, FeatureSpec, canonical_json
from schemas.json_log import read_log
from schemas.labels_manifest import LabelsManifest
from schemas.storage.files import exists, join, list_names, read_bytes
from schemas.storage.stored_tables import read_stored_table
from schemas.tables import LABELS


@dataclasses.dataclass(frozen=True)
class LabelVersion:
    """One version of a label set, and its table.

    Attributes:
        manifest: Content of labels.json.
        vocabulary: Tags in output order.
        table: Labels, schema LABELS.
    """

    manifest: LabelsManifest
    vocabulary: tuple[str, ...]
    table: pa.Table

    @property
    def positive_at(self) -> float:
        """Smallest value that counts as positive."""
        return float(self.manifest.label_set["positive_at"])

    @property
    def reference(self) -> str:
        """The version as NAME@HASH."""
        return f"{self.manifest.name}@{self.manifest.version}"


def again() -> str:
    """Advice for a damaged version."""
    return f"lay the same label set again with `{pipeline_command('label')}`, or restore it from a copy"


def label_set_names(dataset: Dataset) -> list[str]:
    """Names of the label sets over a dataset, sorted, including one whose log is lost."""
    names = list_names(dataset.layout.label_sets)
    return [name for name in names if exists(dataset.layout.label_log(name)) or versions_there(dataset, name)]


def versions_there(dataset: Dataset, name: str) -> list[str]:
    """Hashes of a label set's complete versions on disk, sorted."""
    return [
        version
        for version in list_names(dataset.layout.label_set(name))
        if exists(join(dataset.layout.label_version(name, version), "labels.json"))
    ]


def versions_in_order(dataset: Dataset, name: str) -> list[str]:
    """Hashes of a label set's versions in the order of their creation; a version that was restored appears again.

    Raises:
        UserError: there is no such label set.
        DatasetError: its log is damaged, or missing although versions exist.
    """
    log = dataset.layout.label_log(name)
    if not exists(log):
        if versions_there(dataset, name):
            raise DatasetError(f"{log}: the log of the label set is missing though versions of it are there; {again()}")
        found = label_set_names(dataset)
        raise UserError(
            f"label set {name!r}: not in {dataset.layout.root} ({'there are ' + ', '.join(found) if found else 'there is none'}"
            f"{did_you_mean(name, found)}); make one with `{pipeline_command('label')}`"
        )
    return [entry["version"] for entry in read_log(log, again())]


def newest_version(dataset: Dataset, name: str, order: Sequence[str]) -> str:
    """The version that a label set's log names last.

    Raises:
        DatasetError: it is missing. Pruning always keeps it, so it was lost, or the log belongs to another label set.
    """
    if not list_names(dataset.layout.label_version(name, order[-1])):
        raise DatasetError(
            f"{dataset.layout.label_log(name)}: names {order[-1]} as the newest version, which is missing; {again()}"
        )
    return order[-1]


def open_labels(dataset: Dataset, label_set: str) -> LabelVersion:
    """Open a version of a label set.

    >>> from schemas import Dataset, open_labels
    >>> labels = open_labels(Dataset.open("data"), "mine")
    >>> sorted(labels.vocabulary), labels.table.column_names
    (['bass', 'noise', 'tremolo'], ['track_id', 'split', 'tags', 'values'])

    Args:
        dataset: The dataset over which it lies.
        label_set: `NAME` for the newest version, `NAME@HASH` for a particular one.

    Raises:
        UserError: there is no such label set or version, or it was laid over the tracks of another dataset.
        DatasetError: one of its files is damaged.
    """
    name, _, version = label_set.partition("@")
    root = dataset.layout.root
    if not version or not exists(join(dataset.layout.label_version(name, version), "labels.json")):
        order = versions_in_order(dataset, name)
        if not version:
            version = newest_version(dataset, name, order)
        elif not list_names(dataset.layout.label_version(name, version)):
            found = versions_there(dataset, name)
            pruned = ", since it was pruned or lost" if version in order else ""
            raise UserError(
                f"label set {label_set}: no such version in {root}{pruned}; "
                f"{'there are ' + ', '.join(found) if found else 'there is none'}{did_you_mean(version, found)}; lay it with "
                f"`{pipeline_command('label')}`"
            )
    labels = read_label_files(dataset, name, version)
    if dataset.identity()[: len(labels.manifest.generations)] != labels.manifest.generations:
        raise UserError(
            f"{dataset.layout.label_version(name, version)}: was laid over another dataset's tracks than those of {root}; "
            f"lay it again with `{pipeline_command('label')}`"
        )
    return labels


def read_label_files(dataset: Dataset, name: str, version: str) -> LabelVersion:
    """The files of an existing version; the tracks over which it was laid are not checked.

    Raises:
        DatasetError: one of them is missing or damaged.
    """
    folder = dataset.layout.label_version(name, version)
    manifest = LabelsManifest.read(join(folder, "labels.json"))
    if (manifest.name, manifest.version) != (name, version):
        raise DatasetError(
            f"{folder}/labels.json: its manifest is that of {manifest.name}@{manifest.version}; {again()}"
        )
    vocabulary = _vocabulary(join(folder, "vocabulary.txt"))
    table = read_label_table(dataset, name, version)
    if (table.num_rows, len(vocabulary)) != (manifest.counts["tracks"], manifest.counts["tags"]):
        raise DatasetError(
            f"{folder}: holds {table.num_rows} tracks and {len(vocabulary)} tags in labels.parquet and vocabulary.txt, "
            f"its manifest says {manifest.counts['tracks']} and {manifest.counts['tags']}; {again()}"
        )
    tags, values = (table[column].combine_chunks() for column in ("tags", "values"))
    codes = tags.flatten()
    least, most = pc.min(codes).as_py() or 0, pc.max(codes).as_py() or 0
    if least < 0 or most >= max(1, len(vocabulary)) or not tags.value_lengths().equals(values.value_lengths()):
        raise DatasetError(
            f"{folder}/labels.parquet: expected a value for each tag, and tags from 0 to {len(vocabulary) - 1}, found "
            f"{len(values.flatten())} values for {len(codes)} tags from {least} to {most}; {again()}"
        )
    if labels_version(vocabulary, table, manifest.label_set) != version:
        raise DatasetError(
            f"{folder}: its labels have changed: vocabulary.txt, labels.parquet and labels.json do not match the version's "
            f"hash; {again()}"
        )
    return LabelVersion(manifest, vocabulary, table)


def read_label_table(dataset: Dataset, name: str, version: str) -> pa.Table:
    """The labels of a version, schema LABELS; raises DatasetError if the file is missing or damaged."""
    uri = join(dataset.layout.label_version(name, version), "labels.parquet")
    return read_stored_table(uri, LABELS, what="the labels of a version", advice=again())


def _vocabulary(uri: str) -> tuple[str, ...]:
    try:
        return tuple(read_bytes(uri).decode().split("\n")[:-1])
    except FileNotFoundError as error:
        raise DatasetError(f"{uri}: the vocabulary is missing; {again()}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{uri}: expected tags in UTF-8, one a line: {error}; {again()}") from error


def labels_version(vocabulary: Sequence[str], table: pa.Table, label_set: dict[str, Any]) -> str:
    """A hash over the vocabulary, every label, and the settings that give values and missing labels their meaning.

    Args:
        vocabulary: Tags in output order.
        table: Labels, schema LABELS.
        label_set: The label set as stored in labels.json.
    """
    meaning = [label_set[name] for name in ("values", "positive_at", "missing")]
    digest = hashlib.sha256(canonical_json([list(vocabulary), *meaning]))
    table = table.combine_chunks()
    for name in ("track_id", "split"):
        digest.update(canonical_json(table[name].to_pylist()))
    for name in ("tags", "values"):
        column = table[name].combine_chunks()
        digest.update(np.ascontiguousarray(column.value_lengths().to_numpy(), "<i4").tobytes())
        flat = column.flatten()
        digest.update(pc.fill_null(flat, -1).to_numpy(zero_copy_only=False).astype("<f4").tobytes())
    return digest.hexdigest()[:FINGERPRINT_LENGTH]


def without_removed(dataset: Dataset, table: pa.Table) -> tuple[pa.Table, int]:
    """Rows of a label table whose tracks are still in the dataset, and the number of tracks removed since."""
    gone = pc.is_in(table["track_id"], value_set=dataset.removed()["track_id"].combine_chunks())
    return table.filter(pc.invert(gone)), pc.sum(gone).as_py() or 0


def records_of(
    dataset: Dataset, labels: LabelVersion, table: pa.Table, spec: FeatureSpec, columns: Sequence[str]
) -> pa.Table:
    """The newest records of labelled tracks, one row for each row of `table`.

    Args:
        dataset: The dataset.
        labels: Label version of the rows, for the error.
        table: Labels, schema LABELS.
        spec: Features whose places are wanted.
        columns: Columns of TRACKS to read.

    Raises:
        DatasetError: a labelled track has no record in the dataset.
    """
    tracks = dataset.newest_tracks(columns, spec=spec)
    tracks = tracks.filter(pc.is_valid(tracks["record"]))
    place = pc.index_in(table["track_id"], value_set=tracks["track_id"].combine_chunks())
    if place.null_count:
        lost = table["track_id"].filter(pc.is_null(place))[0].as_py()
        raise DatasetError(
            f"{labels.reference}: {place.null_count} labelled tracks have no record in the dataset, such as {lost!r}"
        )
    return tracks.take(place)
