"""Lay a label set over a dataset: a new version of small files; no feature payload is opened."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.labels.annotations import Annotations, read_annotations
from pipeline.labels.label_set import LabelSet, read_label_set
from pipeline.labels.splits import DEFAULT_SPLIT, Split, existing_split, make_split
from schemas.dataset import Dataset
from schemas.errors import UserError, did_you_mean
from schemas.features import FINGERPRINT_LENGTH, canonical_json
from schemas.manifests import LabelsManifest
from schemas.storage import exists, join, read_bytes, write_atomic
from schemas.tables import LABELS, SPLITS


@dataclasses.dataclass(frozen=True)
class LabelSummary:
    """What laying a label set did.

    Attributes:
        name: of the label set.
        version: the version's hash.
        is_new: False where this version was there before.
        vocabulary: tags in output order.
        positives: positive tracks of each tag per split, in the order of the vocabulary.
        tracks: labelled table's rows per split.
        unlabelled: tracks without any tag of the vocabulary.
        split: name and version of the split.
        straddling: see `Split`.
        foreign_tracks: annotated tracks that the dataset does not hold: how many, and the first few.
        overruled: annotation rows that an earlier file overruled.
        tags_added: against the version before; None for the first.
        tags_removed: likewise.
    """

    name: str
    version: str
    is_new: bool
    vocabulary: tuple[str, ...]
    positives: dict[str, tuple[int, ...]]
    tracks: dict[str, int]
    unlabelled: int
    split: tuple[str, str]
    straddling: tuple[int, tuple[str, ...]]
    foreign_tracks: tuple[int, tuple[str, ...]]
    overruled: int
    tags_added: tuple[str, ...] | None
    tags_removed: tuple[str, ...] | None


@dataclasses.dataclass(frozen=True)
class _Rows:
    """Annotations of the dataset's own tracks: row i says that track[i] has tag[i] with value[i]."""

    track: npt.NDArray[np.int64]  # place in the ordered table of tracks
    tag: npt.NDArray[np.int64]  # code in `names`
    value: npt.NDArray[np.float64]
    names: tuple[str, ...]


def lay_labels(root: str, annotation_uris: Sequence[str], label_set_uri: str, split: str | None = None) -> LabelSummary:
    """Make a version of a label set over a dataset.

    Args:
        root: the dataset.
        annotation_uris: annotation files; the earlier one wins where they disagree.
        label_set_uri: the label set's YAML file.
        split: name of a split made before; None for the split `default`, which is made if need be.

    Raises:
        UserError: the dataset, an annotation file, the label set or the split is wrong, or no tag is left.
    """
    label_set = read_label_set(label_set_uri)
    dataset = Dataset.open(root)
    annotations = read_annotations(annotation_uris)
    _check_known(label_set, annotations, label_set_uri)
    sides = existing_split(dataset, split) if split is not None else make_split(dataset, DEFAULT_SPLIT, None)
    rows, foreign = _rows_of(annotations, sides.table["track_id"])
    rows = _without_synonyms(rows, label_set)
    vocabulary = _vocabulary(rows, label_set, label_set_uri)
    table, unlabelled = _label_table(rows, vocabulary, label_set, sides)
    version = labels_version(vocabulary, table, label_set.to_dict())
    before = _last_version(dataset, label_set.name)
    is_new = _write_version(dataset, label_set, annotations, sides, vocabulary, table, version, before)
    positives = {
        side: tuple(_positives(table.filter(pc.equal(table["split"], side)), len(vocabulary), label_set.positive_at))
        for side in SPLITS
    }
    old = None if before is None else set(before["vocabulary"])
    return LabelSummary(
        name=label_set.name,
        version=version,
        is_new=is_new,
        vocabulary=vocabulary,
        positives=positives,
        tracks={side: pc.sum(pc.equal(table["split"], side)).as_py() or 0 for side in SPLITS},
        unlabelled=unlabelled,
        split=(sides.name, sides.version),
        straddling=sides.straddling,
        foreign_tracks=foreign,
        overruled=annotations.overruled,
        tags_added=None if old is None else tuple(tag for tag in vocabulary if tag not in old),
        tags_removed=None if before is None else tuple(tag for tag in before["vocabulary"] if tag not in vocabulary),
    )


def _check_known(label_set: LabelSet, annotations: Annotations, uri: str) -> None:
    known = set(annotations.tags)
    named = [
        *(("tags", tag) for tag in label_set.tags if tag not in label_set.merge),
        *(("merge", source) for group in label_set.merge.values() for source in group),
        *(("exclude", tag) for tag in label_set.exclude),
    ]
    for field, tag in named:
        if tag not in known:
            raise UserError(
                f"label set {uri}: {field}: the tag {tag!r} is in no annotation{did_you_mean(tag, sorted(known))}"
            )


def _rows_of(annotations: Annotations, track_ids: pa.ChunkedArray) -> tuple[_Rows, tuple[int, tuple[str, ...]]]:
    place = pc.index_in(pa.array(annotations.tracks, pa.string()), value_set=track_ids.combine_chunks())
    foreign = sorted(pa.array(annotations.tracks, pa.string()).filter(pc.is_null(place)).to_pylist())
    places = pc.fill_null(place, -1).to_numpy().astype(np.int64)
    track = places[annotations.track]
    held = track >= 0
    rows = _Rows(track[held], annotations.tag[held], annotations.value[held], annotations.tags)
    return rows, (len(foreign), tuple(foreign[:3]))


def _without_synonyms(rows: _Rows, label_set: LabelSet) -> _Rows:
    """Merge synonyms and drop excluded tags; of a track's merged values the largest counts, unknown least of all."""
    target_of = {source: target for target, group in label_set.merge.items() for source in group}
    names = tuple(dict.fromkeys((*rows.names, *label_set.merge)))
    code = {name: number for number, name in enumerate(names)}
    recode = np.array([code[target_of.get(name, name)] for name in rows.names], np.int64)
    excluded = np.array([code[name] for name in label_set.exclude], np.int64)
    tag = recode[rows.tag] if len(recode) else rows.tag
    kept = ~np.isin(tag, excluded)
    track, tag, value = rows.track[kept], tag[kept], rows.value[kept]
    order = np.lexsort((np.where(np.isnan(value), 1.0, -value), np.isnan(value), tag, track))
    track, tag, value = track[order], tag[order], value[order]
    first = np.ones(len(track), bool)
    first[1:] = (track[1:] != track[:-1]) | (tag[1:] != tag[:-1])
    return _Rows(track[first], tag[first], value[first], names)


def _vocabulary(rows: _Rows, label_set: LabelSet, uri: str) -> tuple[str, ...]:
    counts = np.bincount(rows.tag[rows.value >= label_set.positive_at], minlength=len(rows.names))
    if label_set.tags:
        code = {name: number for number, name in enumerate(rows.names)}
        chosen = [tag for tag in label_set.tags if counts[code[tag]] >= label_set.min_tracks]
    else:
        least = max(1, label_set.min_tracks)
        ranked = sorted((-int(count), name) for count, name in zip(counts, rows.names, strict=True) if count >= least)
        chosen = [name for _, name in ranked[: label_set.top]]
    if not chosen:
        raise UserError(
            f"label set {uri}: no tag is left: the dataset's tracks have {np.count_nonzero(counts)} tags with a positive, "
            f"the most frequent on {int(counts.max(initial=0))} tracks; lower min_tracks or check that the annotations "
            "name the dataset's track ids"
        )
    for tag in chosen:
        if "\n" in tag or "\r" in tag:
            raise UserError(
                f"label set {uri}: the tag {tag!r} has a line break in it; a vocabulary holds one tag a line"
            )
    return tuple(chosen)


def _label_table(rows: _Rows, vocabulary: tuple[str, ...], label_set: LabelSet, sides: Split) -> tuple[pa.Table, int]:
    """The table of schema LABELS, and how many tracks have no tag of the vocabulary."""
    place = {name: number for number, name in enumerate(vocabulary)}
    output = np.array([place.get(name, -1) for name in rows.names], np.int64)[rows.tag]
    value = rows.value
    if label_set.values == "binary":
        value = np.where(np.isnan(value), np.nan, (value >= label_set.positive_at).astype(np.float64))
    listed = output >= 0
    if label_set.missing == "negative":
        listed &= value != 0  # negative is what is not listed
    track, output, value = rows.track[listed], output[listed], value[listed]
    order = np.lexsort((output, track))
    track, output, value = track[order], output[order], value[order]
    count = sides.table.num_rows
    lengths = np.bincount(track, minlength=count)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    table = pa.table(
        {
            "track_id": sides.table["track_id"],
            "split": sides.table["split"],
            "tags": pa.ListArray.from_arrays(pa.array(offsets), pa.array(output, pa.int32())),
            "values": pa.ListArray.from_arrays(
                pa.array(offsets), pa.array(value.astype(np.float32), mask=np.isnan(value))
            ),
        },
        schema=LABELS,
    )
    unlabelled = lengths == 0
    if label_set.unlabelled == "drop":
        table = table.filter(pa.array(~unlabelled))
    return table, int(np.count_nonzero(unlabelled))


def _positives(table: pa.Table, tags: int, positive_at: float) -> list[int]:
    values = pc.fill_null(pc.list_flatten(table["values"]), 0.0).to_numpy()
    codes = pc.list_flatten(table["tags"]).to_numpy()
    return [int(count) for count in np.bincount(codes[values >= positive_at], minlength=tags)]


def labels_version(vocabulary: Sequence[str], table: pa.Table, label_set: dict[str, Any]) -> str:
    """A hash over the vocabulary, every label, and what a value and a missing one mean.

    Args:
        vocabulary: tags in output order.
        table: schema LABELS.
        label_set: the label set as labels.json holds it.
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


def _last_version(dataset: Dataset, name: str) -> dict[str, Any] | None:
    """Version and vocabulary of the newest version of a label set, if there is one."""
    uri = dataset.layout.label_log(name)
    if not exists(uri):
        return None
    version = json.loads(read_bytes(uri).splitlines()[-1])["version"]
    text = read_bytes(join(dataset.layout.label_version(name, version), "vocabulary.txt")).decode()
    return {"version": version, "vocabulary": text.splitlines()}


def _write_version(
    dataset: Dataset,
    label_set: LabelSet,
    annotations: Annotations,
    sides: Split,
    vocabulary: tuple[str, ...],
    table: pa.Table,
    version: str,
    before: dict[str, Any] | None,
) -> bool:
    """Write a version's files, its manifest last, and the log; returns False where the version was there."""
    folder = dataset.layout.label_version(label_set.name, version)
    is_new = not exists(join(folder, "labels.json"))
    if is_new:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        write_atomic(join(folder, "vocabulary.txt"), "".join(f"{tag}\n" for tag in vocabulary).encode())
        write_atomic(join(folder, "labels.parquet"), bytes(sink.getvalue()))
        manifest = LabelsManifest(
            name=label_set.name,
            version=version,
            label_set=label_set.to_dict(),
            annotations_sha256=annotations.sha256,
            split={"name": sides.name, "version": sides.version},
            generations=dataset.identity(),
            counts={
                "tracks": table.num_rows,
                "tags": len(vocabulary),
                **{side: pc.sum(pc.equal(table["split"], side)).as_py() or 0 for side in SPLITS},
            },
        )
        write_atomic(join(folder, "labels.json"), manifest.to_bytes())
    if before is None or before["version"] != version:
        old = [] if before is None else before["vocabulary"]
        line = {
            "version": version,
            "tags_added": [tag for tag in vocabulary if tag not in set(old)],
            "tags_removed": [tag for tag in old if tag not in set(vocabulary)],
            "tracks": table.num_rows,
        }
        uri = dataset.layout.label_log(label_set.name)
        log = read_bytes(uri) if before is not None else b""
        write_atomic(uri, log + canonical_json(line) + b"\n")
    return is_new
