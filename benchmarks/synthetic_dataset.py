"""The files of a dataset of 1.5 million tracks without its payloads: manifest, plan, tracks table."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.jobs.plan import plan_tracks
from schemas.dataset_manifest import DatasetManifest
from schemas.features import LogMelSpec, WaveformSpec
from schemas.layout import Layout
from schemas.manifests import GenerationEntry
from schemas.plan_file import plan_bytes
from schemas.tables import TRACKS


def write_dataset(root: Path, tracks: int, shards: int, artists: int) -> None:
    """Write the dataset; track ids are numbers of ten digits."""
    number = np.arange(tracks)
    ids = _texts("", number, 10)
    catalog = pa.table(
        {
            "track_id": ids,
            "uri": pc.binary_join_element_wise(ids, pa.scalar("mp3"), "."),
            "group": _texts("artist-", number * 7919 % artists, 6),
            "split": pa.nulls(tracks, pa.string()),
        }
    )
    plan = plan_tracks(catalog, shards)
    shard = plan["shard"].to_numpy()
    starts = np.flatnonzero(np.concatenate([[True], shard[1:] != shard[:-1]]))
    record = (np.arange(tracks) - starts[shard]).astype(np.int32)
    lengths = {"logmel": 360_000, "waveform": 960_000}
    columns = {
        **{name: plan[name] for name in ("track_id", "group", "split", "shard")},
        "record": record,
        **{f"{family}_offset": record.astype(np.int64) * length for family, length in lengths.items()},
        **{f"{family}_length": np.full(tracks, length, np.int64) for family, length in lengths.items()},
        "transient": np.zeros(tracks, bool),
        "seconds": np.full(tracks, 30.0),
        "source_seconds": np.full(tracks, 240.0),
        "sample_rate": np.full(tracks, 44_100, np.int32),
        "channels": np.full(tracks, 2, np.int32),
        "codec": pa.array(["mp3"]).take(pa.array(np.zeros(tracks, np.int32))),
        "source_checksum": plan["track_id"],
        "pcm_sha256": _texts("0" * 54, number, 10),
        "flags": pa.ListArray.from_arrays(np.zeros(tracks + 1, np.int32), pa.array([], pa.string())),
    }
    for field in TRACKS:
        columns.setdefault(field.name, pa.nulls(tracks, field.type))
    table = pa.table({name: columns[name] for name in TRACKS.names}).cast(TRACKS)
    layout = Layout(str(root))
    for file in (layout.plan(0), layout.tracks(0)):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(layout.plan(0)).write_bytes(plan_bytes(plan, {}))
    pq.write_table(table, layout.tracks(0), compression="zstd")
    waveform = WaveformSpec()
    manifest = DatasetManifest(
        families={"logmel": LogMelSpec(waveform), "waveform": waveform},
        generations=(
            GenerationEntry(
                generation=0,
                shards=int(shard[-1]) + 1,
                tracks=tracks,
                records=tracks,
                rejects={},
                tracks_sha256=hashlib.sha256(Path(layout.tracks(0)).read_bytes()).hexdigest(),
            ),
        ),
        versions={},
    )
    Path(layout.manifest).write_bytes(manifest.to_bytes())


def write_annotations(path: Path, tracks: int, rows: int, tags: int, seed: int = 0) -> None:
    """Write rows of tracks and tags as CSV, with frequent and rare tags, each pair once, in random order."""
    random = np.random.default_rng(seed)
    shares = 1 / (1 + np.arange(tags))
    pairs = np.empty(0, np.int64)
    while len(pairs) < rows:
        drawn = random.integers(tracks, size=rows) * tags + random.choice(tags, rows, p=shares / shares.sum())
        pairs = np.unique(np.concatenate([pairs, drawn]))
    pairs = random.permutation(pairs)[:rows]
    table = pa.table({"track_id": _texts("", pairs // tags, 10), "tag": _texts("some tag ", pairs % tags, 3)})
    csv.write_csv(table, path)


def _texts(prefix: str, numbers: np.ndarray, digits: int) -> pa.Array:
    return pc.binary_join_element_wise(
        pa.scalar(prefix), pc.utf8_lpad(pa.array(numbers).cast(pa.string()), digits, "0"), ""
    )
