"""The files of tags with given embeddings and scores, as `tag` writes them, without a model and without audio."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.features import LogMelSpec
from schemas.manifests import GenerationEntry, ShardManifest
from schemas.plan_file import plan_bytes
from schemas.storage.stored_tables import table_bytes
from schemas.tables import PLAN, TRACKS
from schemas.tags import ModelEntry, SourceEntry, TagsLayout, TagsManifest, scores_schema


@dataclasses.dataclass(frozen=True)
class TaggedTracks:
    """Tracks of one generation, in the order of their shards and records.

    Attributes:
        ids: Track ids.
        groups: Group of each.
        embeddings: float16 [tracks, width].
        scores: float16 [tracks, tags].
        pcm: Hash of the waveform of each.
        rejected: Ids of those that have no record.
    """

    ids: list[str]
    groups: list[str]
    embeddings: np.ndarray
    scores: np.ndarray
    pcm: list[str]
    rejected: Collection[str] = ()


def write_generation(
    root: Path,
    tracks: TaggedTracks,
    *,
    shards: int = 2,
    tags: tuple[str, ...] = (),
    source: SourceEntry | None = None,
    model: str = "0" * 64,
    entry: ModelEntry | None = None,
    spec: LogMelSpec | None = None,
    with_embeddings: bool = True,
) -> None:
    """Begin a folder of tags, or add the next generation to one.

    Args:
        root: The folder.
        tracks: The tracks; those of each shard follow those of the one before.
        shards: Number of shards.
        tags: Names of the tags [default: `tag 0` and so on]; of a new folder, like all that follow.
        source: Where the audio lies.
        model: SHA-256 of the model; or
        entry: all that is said of it.
        spec: Features that it read [default: the usual ones].
        with_embeddings: Whether embeddings are stored.
    """
    layout = TagsLayout(str(root))
    width = tracks.embeddings.shape[1]
    if Path(layout.manifest).exists():
        manifest = TagsManifest.read(layout.manifest)
    else:
        names = tags or tuple(f"tag {number}" for number in range(tracks.scores.shape[1]))
        entry = entry or ModelEntry(model, "1" * 64, names, width, 63, "small@0123456789abcdef")
        source = source or SourceEntry("catalog", str(root.parent / "catalog.csv"))
        manifest = TagsManifest((), {}, entry, spec or LogMelSpec(), source, with_embeddings)
    generation, count = len(manifest.generations), len(tracks.ids)
    shard = np.arange(count) * shards // count
    is_kept = ~np.isin(tracks.ids, list(tracks.rejected))
    before = np.cumsum(is_kept) - is_kept
    record = before - before[np.searchsorted(shard, shard)]
    for folder in (layout.plans, layout.features(manifest.spec, generation), layout.tracks_parts(generation)):
        Path(folder).mkdir(parents=True, exist_ok=True)
    plan = {
        "shard": pa.array(shard, pa.int32()),
        "track_id": pa.array(tracks.ids),
        "uri": pa.array([f"audio/{track}.mp3" for track in tracks.ids]),
        "group": pa.array(tracks.groups),
        "split": pa.nulls(count, pa.string()),
    }
    Path(layout.plan(generation)).write_bytes(plan_bytes(pa.table(plan, schema=PLAN), {}))
    columns = {
        **{name: plan[name] for name in ("track_id", "group", "split", "shard")},
        "record": pa.array(record, pa.int32(), mask=~is_kept),
        "cause": pa.array(np.full(count, "decode_error"), pa.string(), mask=is_kept),
        "message": pa.array(np.full(count, "no audio"), pa.string(), mask=is_kept),
        "transient": pa.array(np.zeros(count, bool)),
        "seconds": pa.array(np.full(count, 30.0), mask=~is_kept),
        "pcm_sha256": pa.array(tracks.pcm, pa.string()),
        "flags": pa.ListArray.from_arrays(np.zeros(count + 1, np.int32), pa.array([], pa.string())),
    }
    table = pa.table(
        [columns.get(name, pa.nulls(count, TRACKS.field(name).type)) for name in TRACKS.names], schema=TRACKS
    )
    pq.write_table(table, layout.tracks(generation))
    for number in range(shards):
        rows = np.flatnonzero((shard == number) & is_kept)
        _write_shard(layout, manifest, generation, number, int((shard == number).sum()), tracks, rows)
    kept = int(is_kept.sum())
    entry_of_generation = GenerationEntry(
        generation,
        shards,
        count,
        records=kept,
        rejects={} if kept == count else {"decode_error": count - kept},
        tracks_sha256=hashlib.sha256(Path(layout.tracks(generation)).read_bytes()).hexdigest(),
    )
    Path(layout.manifest).write_bytes(manifest.with_generation(entry_of_generation).to_bytes())


def _write_shard(
    layout: TagsLayout,
    manifest: TagsManifest,
    generation: int,
    shard: int,
    planned: int,
    tracks: TaggedTracks,
    rows: np.ndarray,
) -> None:
    width = manifest.model.embedding if manifest.embeddings else 0
    schema = scores_schema(len(manifest.model.tags), width)
    values = {
        "track_id": pa.array([tracks.ids[row] for row in rows.tolist()], pa.string()),
        "scores": _fixed_lists(tracks.scores[rows], schema.field("scores").type),
        "seconds": pa.array(np.full(len(rows), 30.0)),
    }
    if width:
        values["embedding"] = _fixed_lists(tracks.embeddings[rows], schema.field("embedding").type)
    data = table_bytes(pa.table([values[name] for name in schema.names], schema=schema))
    digest = hashlib.sha256(data).hexdigest()
    payload = Path(layout.payload(manifest.spec, generation, shard, digest))
    payload.write_bytes(data)
    mark = ShardManifest(payload.name, len(rows), len(data), digest, planned, "2" * 64)
    Path(layout.done_mark(manifest.spec, generation, shard)).write_bytes(mark.to_bytes())


def _fixed_lists(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float16).ravel(), pa.float16()), type=kind)
