"""Choose a vocabulary, and turn rows of tags into a table of labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.labels.label_set import LabelSet
from pipeline.labels.tag_rows import TagRows
from schemas.console.errors import UserError
from schemas.tables import LABELS


def choose_vocabulary(rows: TagRows, label_set: LabelSet, uri: str) -> tuple[str, ...]:
    """Tags in output order.

    Args:
        rows: Tag rows after merging.
        label_set: Label set that selects the tags.
        uri: URI of its file, for the errors.

    Raises:
        UserError: no tag is left, or a tag contains a line break.
    """
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
                f"label set {uri}: the tag {tag!r} has a line break in it; a vocabulary holds one tag per line: leave it "
                "out with `exclude`, or rename it with `merge`"
            )
    return tuple(chosen)


def label_table(
    rows: TagRows, vocabulary: tuple[str, ...], label_set: LabelSet, sides: pa.Table
) -> tuple[pa.Table, int]:
    """The labels of all tracks of a split.

    Args:
        rows: Tag rows whose tracks are positions in `sides`.
        vocabulary: Tags in output order.
        label_set: Label set that defines the meaning of values and missing labels.
        sides: Sides of the split, schema SPLIT.

    Returns:
        A table of schema LABELS, and the number of tracks without a tag of the vocabulary.
    """
    place = {name: number for number, name in enumerate(vocabulary)}
    output = np.array([place.get(name, -1) for name in rows.names], np.int64)[rows.tag]
    value = rows.value
    if label_set.values == "binary":
        value = np.where(np.isnan(value), np.nan, (value >= label_set.positive_at).astype(np.float64))
    listed = output >= 0
    if label_set.missing == "negative":
        listed &= value != 0  # an unlisted tag is negative
    track, output, value = rows.track[listed], output[listed], value[listed]
    order = np.argsort(track * len(vocabulary) + output)
    track, output, value = track[order], output[order], value[order]
    lengths = np.bincount(track, minlength=sides.num_rows)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
    values = pa.array(value.astype(np.float32), mask=np.isnan(value))
    table = pa.table(
        {
            "track_id": sides["track_id"],
            "split": sides["split"],
            "tags": pa.ListArray.from_arrays(offsets, pa.array(output, pa.int32())),
            "values": pa.ListArray.from_arrays(offsets, values),
        },
        schema=LABELS,
    )
    unlabelled = lengths == 0
    if label_set.unlabelled == "drop":
        table = table.filter(pa.array(~unlabelled))
    return table, int(np.count_nonzero(unlabelled))


def positives(table: pa.Table, tags: int, positive_at: float) -> npt.NDArray[np.int64]:
    """Number of positive tracks of each tag, [tags], in a table of schema LABELS."""
    values = pc.fill_null(pc.list_flatten(table["values"]), 0.0).to_numpy()
    codes = pc.list_flatten(table["tags"]).to_numpy()
    return np.bincount(codes[values >= positive_at], minlength=tags)
