"""The tags of a catalog on disk: tags.json, the paths of the files, and the schema of the scores."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, Self

import pyarrow as pa

from schemas.console.errors import UserError
from schemas.console.shown_commands import pipeline_command
from schemas.features import FeatureSpec, spec_from_dict
from schemas.generations import Generations, read_tombstones
from schemas.layout import PAYLOAD_HASH_LENGTH, Layout, generation_name, shard_name
from schemas.manifests import FORMAT, GenerationEntry, GenerationsManifest, ShardManifest, read_json
from schemas.storage.files import exists, join
from schemas.validation import from_fields

TAGS_NAME = "tags.json"


@dataclasses.dataclass(frozen=True)
class ModelEntry:
    """The model that scored the tracks.

    Attributes:
        sha256: SHA-256 over the names and bytes of its files, hex.
        trunk_sha256: SHA-256 of everything in it that leads to the embedding, hex.
        tags: Its tags in the order of the scores.
        embedding: Number of values of its embedding.
        patch: Length of its patches, in frames (log-mel) or samples (waveform).
        labels: The label version that it was trained on, as NAME@HASH.
        thresholds: Lowest score at which each tag is assigned, None for one that never is; None if the model has none.
    """

    sha256: str
    trunk_sha256: str
    tags: tuple[str, ...]
    embedding: int
    patch: int
    labels: str
    thresholds: tuple[float | None, ...] | None = None


@dataclasses.dataclass(frozen=True)
class EmbeddingsEntry:
    """The tags whose embeddings were kept, where only the model's head ran.

    Attributes:
        tags: Absolute path or URI of their folder, as it was named first.
        model_sha256: SHA-256 of the model that made their scores, hex.
        scores: What each score is: that of the head for the stored mean embedding of a track, which is not quite the mean of
            the scores of its patches.
    """

    tags: str
    model_sha256: str
    scores: Literal["head_of_mean_embedding"] = "head_of_mean_embedding"


@dataclasses.dataclass(frozen=True)
class SourceEntry:
    """Where the audio or its features come from.

    Attributes:
        kind: `catalog` if the audio was decoded, `dataset` if stored features were read.
        uri: Absolute path or URI of the catalog or the dataset, as it was named first.
        embeddings: The tags whose embeddings were kept; None if the whole model ran.
    """

    kind: Literal["catalog", "dataset"]
    uri: str
    embeddings: EmbeddingsEntry | None = None

    @property
    def catalog(self) -> str | None:
        """The catalog from which tags were made; None if they were made from a dataset."""
        return self.uri if self.kind == "catalog" else None


@dataclasses.dataclass(frozen=True)
class TagsFields:
    """tags.json as it is written: the model, what it read, and the generations in order.

    Attributes:
        model: The model.
        spec: The features that the model read, with the excerpt of each track.
        source: Where they come from.
        embeddings: Whether embeddings are stored too.
        generations: Generations, oldest first, numbered from 0 without gaps.
        versions: Library versions and CPU type with which the newest generation was planned.
    """

    model: ModelEntry
    spec: dict[str, Any]
    source: SourceEntry
    embeddings: bool
    generations: tuple[GenerationEntry, ...]
    versions: dict[str, str]


@dataclasses.dataclass(frozen=True)
class TagsManifest(GenerationsManifest):
    """The content of tags.json, like `TagsFields`, with its spec parsed."""

    model: ModelEntry
    spec: FeatureSpec
    source: SourceEntry
    embeddings: bool

    def __post_init__(self) -> None:
        self.check_generations()

    @classmethod
    def _from_file(cls, fields: dict[str, Any]) -> Self:
        file = from_fields(TagsFields, fields)
        spec = spec_from_dict(file.spec)
        return cls(file.generations, file.versions, file.model, spec, file.source, file.embeddings)

    def to_dict(self) -> dict[str, Any]:
        return {"format": FORMAT, **dataclasses.asdict(self), "spec": self.spec.to_dict()}

    @classmethod
    def read(cls, uri: str) -> Self:
        return cls.from_dict(read_json(uri, "the manifest of tags"), where=uri)


@dataclasses.dataclass(frozen=True)
class TagsLayout(Layout):
    """Paths below one folder of tags; plans, tracks and runs lie as in a dataset."""

    @property
    def manifest(self) -> str:
        return join(self.root, TAGS_NAME)

    @property
    def all_features(self) -> str:
        return join(self.root, "scores")

    @property
    def index(self) -> str:
        """The folder of the index for searches, which may be removed at any time."""
        return join(self.root, "index")

    def features(self, spec: FeatureSpec, generation: int) -> str:
        """The folder of a generation's scores and their done marks."""
        return join(self.all_features, generation_name(generation))

    def payload(self, spec: FeatureSpec, generation: int, shard: int, sha256: str) -> str:
        return join(self.features(spec, generation), f"{shard_name(shard)}-{sha256[:PAYLOAD_HASH_LENGTH]}.parquet")


@dataclasses.dataclass(frozen=True)
class Tags(Generations):
    """The finished part of the tags of a catalog.

    Attributes:
        layout: Paths of its files.
        manifest: tags.json without the generation under way.
    """

    layout: TagsLayout
    manifest: TagsManifest

    @classmethod
    def open(cls, root: str) -> Tags:
        """Open tags with at least one finished generation.

        Raises:
            UserError: there are no tags, or no generation of them is finished.
            DatasetError: their manifest is damaged.
        """
        tags = cls.begun(root)
        if not tags.manifest.generations:
            raise UserError(
                f"{root}: the tagging is unfinished; run the same `{pipeline_command('tag')}` command again"
            )
        return tags

    @classmethod
    def begun(cls, root: str) -> Tags:
        """Open tags that may have no finished generation yet.

        Raises:
            UserError: there are no tags.
            DatasetError: their manifest is damaged.
        """
        layout = TagsLayout(root.rstrip("/") or "/")
        if not exists(layout.manifest):
            raise UserError(f"{root}: expected tags, found no {TAGS_NAME}; make some with `{pipeline_command('tag')}`")
        return cls.of(layout, TagsManifest.read(layout.manifest))

    @classmethod
    def of(cls, layout: TagsLayout, manifest: TagsManifest) -> Tags:
        """The finished part of the tags that a manifest describes."""
        return cls(layout, manifest.finished, manifest.under_way)

    def mark_folders(self, generation: int) -> list[str]:
        """The folder of a generation's scores and done marks."""
        return [self.layout.features(self.manifest.spec, generation)]

    def scores(self, generation: int, shard: int) -> tuple[str, ShardManifest]:
        """Path and done mark of a shard's scores; raises DatasetError if the mark is missing or damaged."""
        uri = self.layout.done_mark(self.manifest.spec, generation, shard)
        mark = ShardManifest.from_dict(read_json(uri, "a shard's done mark"), where=uri)
        return self.layout.payload(self.manifest.spec, generation, shard, mark.sha256), mark

    def removed_anywhere(self) -> tuple[frozenset[str], str | None]:
        """Tracks removed from the tags or from the dataset that was tagged; that dataset if it is not there to say."""
        source, missing = self.manifest.source, None
        layouts: list[Layout] = [self.layout]
        if source.kind == "dataset":
            dataset = Layout(source.uri)
            if exists(dataset.manifest):
                layouts.append(dataset)
            else:
                missing = source.uri
        ids = (track for layout in layouts for track in read_tombstones(layout)["track_id"].to_pylist())
        return frozenset(ids), missing


def scores_schema(tags: int, embedding: int) -> pa.Schema:
    """Schema of a scores file: a row per stored track, in the order of its shard.

    Args:
        tags: Number of scores of a track.
        embedding: Number of values of its embedding; 0 if none is stored.
    """
    fields = [
        pa.field("track_id", pa.string(), nullable=False),
        pa.field("scores", pa.list_(pa.field("element", pa.float16(), nullable=False), tags), nullable=False),
    ]
    if embedding:
        values = pa.list_(pa.field("element", pa.float16(), nullable=False), embedding)
        fields.append(pa.field("embedding", values, nullable=False))
    return pa.schema([*fields, pa.field("seconds", pa.float64(), nullable=False)])
