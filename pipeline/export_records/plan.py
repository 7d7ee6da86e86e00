"""Assign records to exported files: labelled tracks, shard by shard, with the positions of their features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.features import FeatureSpec, features_name
from schemas.label_version import LabelVersion, records_of, without_removed

# plan.parquet in an export: one row group per exported shard, rows in the order of the records.
EXPORT_PLAN = pa.schema(
    [
        pa.field("shard", pa.int32(), nullable=False),  # shard of the export, from 0 without gaps
        pa.field("generation", pa.int32(), nullable=False),  # generation of the dataset's payloads
        pa.field("source", pa.int32(), nullable=False),  # number of the dataset's shard
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("samples", pa.int64(), nullable=False),  # length of the stored waveform
        pa.field("offsets", pa.list_(pa.int64()), nullable=False),  # offset of the record of each feature in bytes
        pa.field("tags", pa.list_(pa.int32()), nullable=False),
        pa.field("values", pa.list_(pa.float32()), nullable=False),
    ]
)


def exported_specs(dataset: Dataset, names: Sequence[str]) -> tuple[FeatureSpec, ...]:
    """The features to export.

    Args:
        dataset: The dataset.
        names: Families, or names such as logmel-0123456789ab; empty for all with which the dataset was built.

    Raises:
        UserError: the dataset does not hold them, or two belong to one family, for which a record has only one field.
    """
    if not names:
        return tuple(dataset.manifest.families.values())
    chosen = [
        dataset.spec(name) if name in ("logmel", "waveform") else dataset.features(name)  # type: ignore[arg-type]
        for name in names
    ]
    families = [spec.family for spec in chosen]
    if len(set(families)) < len(families):
        raise UserError(
            f"--features: expected one of each family, received {', '.join(map(features_name, chosen))}; export them to "
            "two folders"
        )
    return tuple(chosen)


def export_plan(dataset: Dataset, labels: LabelVersion, specs: Sequence[FeatureSpec]) -> tuple[pa.Table, int]:
    """The plan of an export, schema EXPORT_PLAN, and the number of labelled tracks removed from the dataset since.

    Raises:
        UserError: no labelled track is left.
        DatasetError: a labelled track has no record in the dataset.
    """
    table, removed = without_removed(dataset, labels.table)
    table = table.combine_chunks()
    if table.num_rows == 0:
        raise UserError(f"{labels.reference}: expected labelled tracks in {dataset.layout.root}, found none")
    found, offsets = None, []
    for spec in specs:
        found = records_of(dataset, labels, table, spec, ["shard", "seconds"])
        offsets.append(found["offset"].to_numpy())
    if found is None:
        raise ValueError("Expected at least one feature. Received none.")
    keys = [found[name].to_numpy().astype(np.int64) for name in ("generation", "shard", "record")]
    order = np.lexsort(keys[::-1])
    source = np.stack(keys[:2])[:, order]
    starts = np.any(source[:, 1:] != source[:, :-1], axis=0)
    places = np.stack(offsets, axis=1)[order]
    plan = pa.table(
        {
            "shard": np.concatenate([[0], np.cumsum(starts)]).astype(np.int32),
            "generation": source[0].astype(np.int32),
            "source": source[1].astype(np.int32),
            **{name: table[name].take(pa.array(order)) for name in ("track_id", "split")},
            "samples": np.rint(found["seconds"].to_numpy()[order] * specs[0].sample_rate).astype(np.int64),
            "offsets": pa.ListArray.from_arrays(
                np.arange(0, places.size + 1, len(specs), dtype=np.int32), places.ravel()
            ),
            **{name: table[name].take(pa.array(order)) for name in ("tags", "values")},
        }
    )
    return plan.cast(EXPORT_PLAN).combine_chunks(), removed
