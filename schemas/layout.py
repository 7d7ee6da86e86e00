"""The paths of a dataset's files; no other module knows their names."""

from __future__ import annotations

import dataclasses

from schemas.features import FeatureSpec, features_name
from schemas.storage.files import join

MANIFEST_NAME = "dataset.json"
PAYLOAD_HASH_LENGTH = 16  # hex digits of the payload's SHA-256 in its name


def generation_name(generation: int) -> str:
    return f"gen-{generation:03d}"


def shard_name(shard: int) -> str:
    return f"part-{shard:05d}"


@dataclasses.dataclass(frozen=True)
class Layout:
    """Paths below one dataset folder.

    Attributes:
        root: Folder of the dataset, a local path or a URI.
    """

    root: str

    @property
    def manifest(self) -> str:
        return join(self.root, MANIFEST_NAME)

    @property
    def plans(self) -> str:
        """The folder of all plans, which a command locks while it changes the small files."""
        return join(self.root, "plan")

    def plan(self, generation: int) -> str:
        return join(self.plans, f"{generation_name(generation)}.parquet")

    @property
    def all_features(self) -> str:
        """The folder of all features, which a command locks while it changes features of finished generations."""
        return join(self.root, "features")

    def features(self, spec: FeatureSpec, generation: int) -> str:
        return join(self.all_features, features_name(spec), generation_name(generation))

    def payload(self, spec: FeatureSpec, generation: int, shard: int, sha256: str) -> str:
        name = f"{shard_name(shard)}-{sha256[:PAYLOAD_HASH_LENGTH]}.tfrecord"
        return join(self.features(spec, generation), name)

    def done_mark(self, spec: FeatureSpec, generation: int, shard: int) -> str:
        return join(self.features(spec, generation), f"{shard_name(shard)}.json")

    def tracks_parts(self, generation: int) -> str:
        """The folder of a generation's tracks parts, one per shard."""
        return join(self.root, "tracks", generation_name(generation))

    def tracks_part(self, generation: int, shard: int) -> str:
        return join(self.tracks_parts(generation), f"{shard_name(shard)}.parquet")

    def tracks(self, generation: int) -> str:
        return join(self.root, "tracks", f"{generation_name(generation)}.parquet")

    @property
    def removed(self) -> str:
        return join(self.root, "removed.parquet")

    def splits(self, name: str) -> str:
        return join(self.root, "splits", name)

    def split(self, name: str, version: str) -> str:
        return join(self.splits(name), f"{version}.parquet")

    def split_log(self, name: str) -> str:
        return join(self.splits(name), "log.jsonl")

    @property
    def label_sets(self) -> str:
        return join(self.root, "labels")

    def label_set(self, name: str) -> str:
        return join(self.root, "labels", name)

    def label_log(self, name: str) -> str:
        return join(self.label_set(name), "log.jsonl")

    def label_version(self, name: str, version: str) -> str:
        return join(self.label_set(name), version)

    @property
    def runs(self) -> str:
        return join(self.root, "runs")

    @property
    def sources_seen(self) -> str:
        return join(self.runs, "sources.parquet")

    def run_summary(self, name: str) -> str:
        return join(self.runs, f"{name}.json")
