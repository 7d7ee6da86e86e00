"""Turn the scores of tags into graded annotations, so that a label set can be laid over what a model heard."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.importers.outputs import ANNOTATIONS_FILE, LABEL_SET_FILE, require_folder, write_label_set
from schemas.console.errors import UserError
from schemas.console.report import Line, Report, following, heading
from schemas.console.shown_commands import pipeline_command
from schemas.storage.files import join, publish, spool
from schemas.tables import ANNOTATIONS
from schemas.tag_shards import by_place, matrix, read_shards
from schemas.tags import Tags


@dataclasses.dataclass(frozen=True)
class ScoresSummary:
    """Results of an import of scores.

    Attributes:
        out: Folder of the files.
        dataset: The dataset that was tagged; None if a catalog was.
        tracks: Number of tracks with scores.
        annotations: Number of rows in the annotations.
        label_set: Name of the label set.
    """

    out: str
    dataset: str | None
    tracks: int
    annotations: int
    label_set: str


def import_scores(root: str, out: str) -> ScoresSummary:
    """Write the scores of tags as annotations.parquet, and label_set.yaml with their tags in the model's order.

    Every track has a value for every tag; rejected and removed tracks have none. The rows follow the shards of the tags, so
    that scores of millions of tracks pass through a few megabytes of memory.

    Args:
        root: Folder of the tags.
        out: Folder for the two files.

    Raises:
        UserError: There are no tags, none of their tracks has scores, or `out` is a file.
        DatasetError: A file of the tags is damaged.
    """
    require_folder(out)
    tags = Tags.open(root)
    gone, _ = tags.removed_anywhere()
    tracks = by_place(tags.newest_tracks(["shard"]))
    tracks = tracks.filter(pc.invert(pc.is_in(tracks["track_id"], value_set=pa.array(sorted(gone), pa.string()))))
    if not tracks.num_rows:
        raise UserError(f"{root}: expected tracks with scores, found none that are not removed; tag another catalog")
    names = pa.array(tags.manifest.model.tags, pa.string())
    uri = join(out, ANNOTATIONS_FILE)
    with spool(uri) as path:
        with pq.ParquetWriter(path, ANNOTATIONS, compression="zstd") as writer:
            for rows, found in read_shards(tags, tracks, ("scores",), what="import"):
                writer.write_table(_annotations(rows["track_id"], matrix(found["scores"]), names))
        publish(path, uri)
    name, _ = write_label_set("scores", tags.manifest.model.tags, out, values="graded", unlabelled="drop")
    source = tags.manifest.source
    dataset = source.uri if source.kind == "dataset" else None
    return ScoresSummary(out, dataset, tracks.num_rows, tracks.num_rows * len(names), name)


def _annotations(ids: pa.ChunkedArray, scores: npt.NDArray[np.float16], names: pa.Array) -> pa.Table:
    row, tag = np.divmod(np.arange(scores.size), len(names))
    columns = {"track_id": ids.take(pa.array(row)), "tag": names.take(pa.array(tag)), "value": scores.reshape(-1)}
    return pa.table(columns, schema=ANNOTATIONS)


def scores_report(summary: ScoresSummary) -> Report:
    """What was written, and what to type next."""
    return Report.of(_parts(summary))


def _parts(summary: ScoresSummary) -> Iterator[Line]:
    yield heading(f"{summary.out}: {summary.annotations:,} graded annotations of {summary.tracks:,} tracks")
    yield Line(f"  label set {summary.label_set}: the model's tags in its order")
    files = (join(summary.out, name) for name in (ANNOTATIONS_FILE, LABEL_SET_FILE))
    options = zip(("--annotations", "--label-set"), files, strict=True)
    words = ("label", "--dataset", summary.dataset or "DATASET", *(word for pair in options for word in pair))
    yield following(pipeline_command(*words))
