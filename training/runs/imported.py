"""A run that was not trained here: where its weights come from, what they read and which tags they give."""

from __future__ import annotations

import dataclasses
from typing import Any

from schemas.console.errors import DatasetError, UserError
from schemas.dataset import Dataset
from schemas.dataset_manifest import DatasetManifest
from schemas.features import LogMelSpec, spec_from_dict
from schemas.label_version import LabelVersion, labels_version
from schemas.labels_manifest import LabelsManifest
from schemas.layout import Layout
from schemas.manifests import to_json
from schemas.storage.files import exists, join, read_bytes
from schemas.storage.json_object import parse_json_object, without_format
from schemas.tables import LABELS, SPLITS
from schemas.validation import from_fields

IMPORTED_NAME = "imported.json"
FORMAT = 1
# Its tags are those of a label set that never lay here: it covers no track.
_LABEL_SET = {"values": "binary", "positive_at": 0.5, "missing": "negative"}


@dataclasses.dataclass(frozen=True)
class Imported:
    """The content of RUN/imported.json.

    Attributes:
        source: what the weights come from, in words.
        model: name of the model there.
        data: what it was trained on, in words.
        licence: SPDX identifier of the weights' licence.
        notice: text of the licence, which has to go with copies.
        roc_auc: macro ROC-AUC that its authors publish for their test split.
        pr_auc: the same for PR-AUC.
        feature_spec: features that it reads, as `spec_from_dict` reads them.
        vocabulary: tags in output order.
    """

    source: str
    model: str
    data: str
    licence: str
    notice: str
    roc_auc: float
    pr_auc: float
    feature_spec: dict[str, Any]
    vocabulary: tuple[str, ...]

    @property
    def spec(self) -> LogMelSpec:
        """The features that it reads."""
        spec = spec_from_dict(self.feature_spec)
        if not isinstance(spec, LogMelSpec):
            raise UserError(f"feature spec: expected one of log-mel, received one of {spec.family}")
        return spec

    def labels(self) -> LabelVersion:
        """Its tags as a label version without tracks."""
        table = LABELS.empty_table()
        version = labels_version(self.vocabulary, table, _LABEL_SET)
        manifest = LabelsManifest(
            name=self.model,
            version=version,
            label_set={"name": self.model, **_LABEL_SET},
            annotations_sha256=(),
            split={"name": self.data, "version": ""},
            generations=(),
            counts={"tracks": 0, "tags": len(self.vocabulary), **dict.fromkeys(SPLITS, 0)},
        )
        return LabelVersion(manifest, self.vocabulary, table)

    def dataset(self, root: str) -> Dataset:
        """A dataset without tracks, in the place of the one that other runs were trained on.

        Args:
            root: the run's folder.
        """
        return Dataset(Layout(root), DatasetManifest((), {}, {"logmel": self.spec}), None)

    def to_bytes(self) -> bytes:
        return to_json({"format": FORMAT, **dataclasses.asdict(self)})


def is_imported(root: str) -> bool:
    """Whether a run's weights were imported."""
    return exists(join(root, IMPORTED_NAME))


def read_imported(root: str) -> Imported | None:
    """Where a run's weights come from; None if it was trained here.

    Raises:
        DatasetError: its imported.json is damaged.
        UserError: a newer version wrote it.
    """
    if not is_imported(root):
        return None
    uri = join(root, IMPORTED_NAME)
    try:
        imported = from_fields(
            Imported, without_format(parse_json_object(read_bytes(uri), known_format=FORMAT), FORMAT, uri)
        )
        imported.spec.to_dict()
    except ValueError as error:
        raise DatasetError(f"{uri}: expected where weights come from: {error}; import them again") from error
    return imported
