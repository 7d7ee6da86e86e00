"""Update the JSON Schemas in docs/schemas: `make schemas`, or `python docs/write_schemas.py [FOLDER]`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pipeline.labels.label_set import LabelSet, written_hints
from schemas import dataset_manifest, labels_manifest, manifests, tags
from schemas.json_schemas import json_schema, schema_bytes
from training.config import FORMAT, TrainConfig, config_hints

_TAGS_OR_TOP = {"not": {"required": ["tags", "top"], "properties": {"top": {"type": "integer"}}}}

_EPOCHS_OR_STEPS = {
    "if": {"required": ["epochs"], "properties": {"epochs": {"const": 0}}},
    "then": {"required": ["max_steps"], "properties": {"max_steps": {"minimum": 1}}},
}


def schemas() -> dict[str, dict[str, Any]]:
    """File name -> schema."""
    return {
        "dataset.json": json_schema(dataset_manifest.DatasetFields, "dataset.json", file_format=manifests.FORMAT),
        "done_mark.json": json_schema(manifests.ShardManifest, "Done mark of a shard", file_format=manifests.FORMAT),
        "tags.json": json_schema(tags.TagsFields, "tags.json", file_format=manifests.FORMAT),
        "labels.json": json_schema(labels_manifest.LabelsManifest, "labels.json", file_format=manifests.FORMAT),
        "label_set.json": json_schema(LabelSet, "Label set", hints=written_hints(), rules=_TAGS_OR_TOP),
        "train_config.json": json_schema(
            TrainConfig,
            "Training configuration",
            hints=config_hints(),
            file_format=FORMAT,
            is_written_by_hand=True,
            rules=_EPOCHS_OR_STEPS,
        ),
    }


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "schemas"
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_bytes(schema_bytes(schema))


if __name__ == "__main__":
    main()
