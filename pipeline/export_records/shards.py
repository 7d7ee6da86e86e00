"""Write the records of one shard: features as stored, together with labels, in one file for each side of the split."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any, ClassVar

import numpy as np

from pipeline.jobs.record_file import RecordFile
from pipeline.jobs.shard_job import ShardCounts, mark_name
from pipeline.jobs.stored_features import StoredFeature, StoredFeatures
from schemas.console.errors import DatasetError
from schemas.dataset import Dataset
from schemas.examples import EXAMPLE_KEYS, FieldValue, Streamed, example_parts
from schemas.layout import shard_name
from schemas.manifests import to_json
from schemas.plan_file import PlanReader
from schemas.storage.files import join, write_if_absent

PLAN_NAME = "plan.parquet"
MARKS_NAME = "done"


@dataclasses.dataclass(frozen=True)
class ExportJob:
    """Parameters of an export for its workers; small, since it travels in the job graph.

    Attributes:
        dataset: Folder of the dataset.
        out: Folder of the export.
        memory: Memory that a worker needs.
    """

    dataset: str
    out: str
    memory: ClassVar[str] = "1GB"

    @property
    def plan(self) -> str:
        return join(self.out, PLAN_NAME)

    @property
    def mark_folders(self) -> list[str]:
        return [join(self.out, MARKS_NAME)]

    def open_writer(self) -> RecordsWriter:
        """A writer of its shards."""
        return RecordsWriter(self)


class RecordsWriter:
    """Writes shards of an export; a shard is complete once its done mark exists, which is created last."""

    def __init__(self, job: ExportJob) -> None:
        self._job = job
        self._dataset = Dataset.open(job.dataset)
        self._plan = PlanReader(job.plan)
        self._vocabulary = [tag.encode() for tag in self._plan.metadata["vocabulary"]]
        self._specs = [self._dataset.features(name) for name in self._plan.metadata["features"]]

    def close(self) -> None:
        """Do nothing: the writer holds no resources."""

    def write(self, shard: int) -> ShardCounts:
        """Write one shard; raises DatasetError if its payloads are damaged."""
        rows = self._plan.shard(shard)
        generation, source = rows["generation"][0].as_py(), rows["source"][0].as_py()
        files: dict[str, RecordFile] = {}
        with contextlib.ExitStack() as stack:
            payloads = [
                stack.enter_context(StoredFeatures(self._dataset, spec, generation, source)) for spec in self._specs
            ]
            for row in rows.to_pylist():
                features = [
                    payload.track(row["track_id"], offset, row["samples"])
                    for payload, offset in zip(payloads, row["offsets"], strict=True)
                ]
                if any(feature.is_blank for feature in features):
                    raise DatasetError(
                        f"{self._job.dataset}: {row['track_id']!r} was erased since this export was begun; choose another "
                        "folder"
                    )
                split = row["split"]
                if split not in files:
                    files[split] = stack.enter_context(RecordFile(self._uri(split, shard)))
                files[split].append_parts(row["track_id"], *example_parts(self._fields(row, features)))
            for split, file in files.items():
                file.publish_as(self._uri(split, shard))
        mark = to_json(
            {
                split: {"records": file.records, "bytes": file.bytes, "sha256": file.sha256()}
                for split, file in sorted(files.items())
            }
        )
        uri = join(self._job.mark_folders[0], mark_name(shard))
        if not write_if_absent(uri, mark):
            raise DatasetError(f"{uri}: another process finished this shard with other bytes; choose another folder")
        return ShardCounts(shard, rows.num_rows)

    def _uri(self, split: str, shard: int) -> str:
        return join(self._job.out, split, f"{shard_name(shard)}.tfrecord")

    def _fields(self, row: dict[str, Any], features: list[StoredFeature]) -> dict[str, FieldValue]:
        metadata = self._plan.metadata
        listed = np.array(row["tags"], np.int64)
        values = np.array([np.nan if value is None else value for value in row["values"]], np.float32)
        labels = np.zeros(len(self._vocabulary), np.float32)
        known = np.full(len(self._vocabulary), int(metadata["missing"] == "negative"), np.int64)
        known[listed] = ~np.isnan(values)
        labels[listed] = np.nan_to_num(values)
        fields: dict[str, FieldValue] = {
            "track_id": [row["track_id"].encode()],
            "split": [row["split"].encode()],
            "tags": [self._vocabulary[tag] for tag in np.flatnonzero(labels >= metadata["positive_at"])],
            "labels": labels,
            "labels_known": known,
        }
        for spec, feature in zip(self._specs, features, strict=True):
            value_key, length_key = EXAMPLE_KEYS[spec.family]
            fields[value_key] = Streamed(feature.nbytes, feature.blocks)
            fields[length_key] = np.array(feature.shape[:1], np.int64)
        return fields
