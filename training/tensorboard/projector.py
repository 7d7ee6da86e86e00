"""The embedding of validation tracks, for TensorBoard's projector."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np
import numpy.typing as npt
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import EmbeddingInfo, ProjectorConfig

from schemas.storage.files import join, write_atomic
from training.data.records import TrackRecords
from training.evaluation.scoring import TrackScorer
from training.tensorboard.pr_curves import curve_tags

POINTS = 10_000  # tracks shown: t-SNE in the browser cannot handle more
_CONFIG_NAME = "projector_config.pbtxt"
_TENSOR_NAME, _METADATA_NAME = "embedding.tsv", "embedding_metadata.tsv"
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # they would end a cell or a line of a table


@dataclasses.dataclass(frozen=True)
class TrackEmbedding:
    """Tracks as points.

    Attributes:
        track_ids: [points].
        values: float32 [points, units].
        targets: float32 [points, tags]; NaN is unknown.
        vocabulary: the tags.
        positive_at: lowest target that counts as positive.
        of: number of tracks in the split that these were chosen from.
        epoch: epoch whose weights produced the embedding.
    """

    track_ids: Sequence[str]
    values: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    vocabulary: Sequence[str]
    positive_at: float
    of: int
    epoch: int | float


def chosen_tracks(tracks: int) -> npt.NDArray[np.int64]:
    """Indices of at most POINTS tracks, evenly spaced over all of them, int64."""
    return np.linspace(0, tracks - 1, min(tracks, POINTS)).round().astype(np.int64)


def embed_tracks(
    model: keras.Model,
    records: TrackRecords,
    vocabulary: Sequence[str],
    *,
    patch: int,
    batch_size: int,
    positive_at: float,
    epoch: int | float,
    on_progress: Callable[[int], None] | None = None,
) -> TrackEmbedding:
    """The embedding of a split's tracks: the penultimate layer, averaged over a track's patches.

    Args:
        model: a tagger with the weights of `epoch`.
        records: the split; at most POINTS of its tracks are read.
        vocabulary: the tags.
        patch: length of the model's patches.
        batch_size: patches that go through the model together.
        positive_at: lowest target that counts as positive.
        epoch: number of the epoch.
        on_progress: called with the number of tracks embedded.
    """
    tracks = records.tracks
    numbers = chosen_tracks(len(tracks))
    scorer = TrackScorer(model, patch, batch_size, output="embedding")
    return TrackEmbedding(
        track_ids=[tracks.track_ids[number] for number in numbers],
        values=scorer.scores(records, numbers.tolist(), on_progress),
        targets=tracks.targets[numbers],
        vocabulary=vocabulary,
        positive_at=positive_at,
        of=len(tracks),
        epoch=epoch,
    )


def write_embedding(folder: str, embedding: TrackEmbedding) -> None:
    """Write an embedding for the projector, replacing an existing one.

    Args:
        folder: RUN/tensorboard.
        embedding: the tracks; each gets its id, its tags, and a column for each of the most frequent tags to colour by.
    """
    points, units = embedding.values.shape
    share = f"{points:,} of {embedding.of:,}" if points < embedding.of else f"all {points:,}"
    info = EmbeddingInfo(
        tensor_name=f"validation tracks, epoch {embedding.epoch} ({share})",
        tensor_shape=[points, units],
        tensor_path=_TENSOR_NAME,
        metadata_path=_METADATA_NAME,
    )
    write_atomic(join(folder, _METADATA_NAME), "".join(_metadata(embedding)).encode())
    # Text, although it is larger: TensorBoard reads binary tensors from local disks only.
    row = "\t".join(["%.4g"] * units) + "\n"
    write_atomic(join(folder, _TENSOR_NAME), "".join(row % tuple(values) for values in embedding.values).encode())
    config = text_format.MessageToString(ProjectorConfig(embeddings=[info]), as_utf8=True)
    write_atomic(join(folder, _CONFIG_NAME), config.encode())


def _metadata(embedding: TrackEmbedding) -> Iterator[str]:
    positive = embedding.targets >= embedding.positive_at
    known = ~np.isnan(embedding.targets)
    columns = curve_tags(embedding.targets, embedding.positive_at)
    words = np.where(positive, "yes", np.where(known, "no", "unknown"))[:, columns]
    yield "\t".join(["track_id", "tags", *(_cell(embedding.vocabulary[tag]) for tag in columns)]) + "\n"
    for number, track_id in enumerate(embedding.track_ids):
        tags = " | ".join(_cell(embedding.vocabulary[tag]) for tag in np.flatnonzero(positive[number]).tolist())
        yield "\t".join([_cell(track_id), tags, *words[number]]) + "\n"


def _cell(text: str) -> str:
    # `text_cell` is not used: TensorBoard reads this table, and would show the apostrophe.
    return _BREAKS.sub(" ", text)
