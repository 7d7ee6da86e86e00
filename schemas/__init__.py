"""The formats on disk: tables, records, manifests, feature specs, storage. This package imports neither stage.

A notebook needs `Dataset`, `open_labels` and the feature specs; docs/library.md shows them in use.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.console.errors import DatasetError, TagscaleError, UserError
    from schemas.dataset import Dataset
    from schemas.features import LogMelSpec, WaveformSpec
    from schemas.label_version import LabelVersion, open_labels
else:
    from schemas.lazy_names import lazy_names

    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Dataset": "schemas.dataset.Dataset",
            "DatasetError": "schemas.console.errors.DatasetError",
            "LabelVersion": "schemas.label_version.LabelVersion",
            "LogMelSpec": "schemas.features.LogMelSpec",
            "TagscaleError": "schemas.console.errors.TagscaleError",
            "UserError": "schemas.console.errors.UserError",
            "WaveformSpec": "schemas.features.WaveformSpec",
            "open_labels": "schemas.label_version.open_labels",
        },
    )

__all__ = [
    "Dataset",
    "DatasetError",
    "LabelVersion",
    "LogMelSpec",
    "TagscaleError",
    "UserError",
    "WaveformSpec",
    "open_labels",
]
