"""Open a version of a label set that was laid over a dataset."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.dataset import Dataset
from schemas.errors import DatasetError, UserError, did_you_mean
from schemas.features import FeatureSpec
from schemas.manifests import LabelsManifest
from schemas.shown_commands import pipeline_command
from schemas.storage import exists, join, list_names, open_read, read_bytes
from schemas.tables import LABELS
from schemas.text_lines import lines_of


@dataclasses.dataclass(frozen=True)
class LabelVersion:
    """One version of a label set, and its table.

    Attributes:
        manifest: labels.json.
        vocabulary: tags in output order.
        table: schema LABELS.
    """

    manifest: LabelsManifest
    vocabulary: tuple[str, ...]
    table: pa.Table

    @property
    def positive_at(self) -> float:
        """Least value that counts as positive."""
        return float(self.manifest.label_set["positive_at"])

    @property
    def reference(self) -> str:
        """NAME@HASH."""
        return f"{self.manifest.name}@{self.manifest.version}"


def label_set_names(dataset: Dataset) -> list[str]:
    """Names of the label sets that were laid over a dataset, sorted."""
    return [name for name in list_names(dataset.layout.label_sets) if exists(dataset.layout.label_log(name))]


def versions_in_order(dataset: Dataset, name: str) -> list[str]:
    """Hashes of a label set's versions as they were laid, oldest first; one that was returned to is there again.

    Raises:
        UserError: no such label set.
    """
    if not exists(dataset.layout.label_log(name)):
        found = label_set_names(dataset)
        raise UserError(
            f"label set {name!r}: not in {dataset.layout.root} ({'there are ' + ', '.join(found) if found else 'there is none'}"
            f"{did_you_mean(name, found)}); make one with `{pipeline_command('label')}`"
        )
    return [json.loads(line)["version"] for line in lines_of(read_bytes(dataset.layout.label_log(name)).decode())]


def open_labels(dataset: Dataset, label_set: str) -> LabelVersion:
    """Open a version of a label set.

    Args:
        dataset: the dataset that it was laid over.
        label_set: `NAME` for the newest version, `NAME@HASH` for a certain one.

    Raises:
        UserError: no such label set or version, or it was laid over other features.
        DatasetError: its files contradict each other.
    """
    name, _, version = label_set.partition("@")
    root = dataset.layout.root
    order = versions_in_order(dataset, name)
    version = version or order[-1]
    folder = dataset.layout.label_version(name, version)
    if not exists(join(folder, "labels.json")):
        found = list(dict.fromkeys(order))
        raise UserError(
            f"label set {label_set}: no such version in {root}; there are {', '.join(found)}{did_you_mean(version, found)}"
        )
    manifest = LabelsManifest.read(join(folder, "labels.json"))
    if dataset.identity()[: len(manifest.generations)] != manifest.generations:
        raise UserError(
            f"{folder}: was laid over another dataset's tracks than those of {root}; "
            f"lay it again with `{pipeline_command('label')}`"
        )
    vocabulary = tuple(lines_of(read_bytes(join(folder, "vocabulary.txt")).decode()))
    with open_read(join(folder, "labels.parquet")) as file:
        table = pq.read_table(file, schema=LABELS)
    if (len(vocabulary), table.num_rows) != (manifest.counts["tags"], manifest.counts["tracks"]):
        raise DatasetError(
            f"{folder}: expected {manifest.counts['tags']} tags and {manifest.counts['tracks']} tracks, found "
            f"{len(vocabulary)} and {table.num_rows}"
        )
    return LabelVersion(manifest, vocabulary, table)


def without_removed(dataset: Dataset, table: pa.Table) -> tuple[pa.Table, int]:
    """Rows of a label table whose tracks are still in the dataset, and how many were removed since."""
    gone = pc.is_in(table["track_id"], value_set=dataset.removed()["track_id"].combine_chunks())
    return table.filter(pc.invert(gone)), pc.sum(gone).as_py() or 0


def records_of(
    dataset: Dataset, labels: LabelVersion, table: pa.Table, spec: FeatureSpec, columns: Sequence[str]
) -> pa.Table:
    """The newest records of labelled tracks, a row for each row of `table`.

    Args:
        dataset: the dataset.
        labels: whose table the rows are of, for the error.
        table: schema LABELS.
        spec: features whose places are wanted.
        columns: of TRACKS to read.

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
