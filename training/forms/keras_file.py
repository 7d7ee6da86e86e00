"""Write a tagger as a Keras file that Keras alone loads, on any of its backends."""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile

import keras

from schemas.model_forms import MARKERS

_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip file can hold
_NO_DATE = "1980-01-01@00:00:00"


_SHARED = re.compile(rb'(?<="shared_object_id": )\d+')  # the address in memory of what several layers share


def write_keras(folder: str, plain: keras.Model) -> None:
    """Write model.keras, from patches to scores and embeddings; the same model gives the same bytes.

    Args:
        folder: an existing folder.
        plain: a tagger from `training.models.plain_layers.in_plain_layers`.
    """
    with tempfile.TemporaryDirectory() as saved:
        path = os.path.join(saved, MARKERS["keras"])
        plain.save(path)
        with zipfile.ZipFile(path) as dated, zipfile.ZipFile(os.path.join(folder, MARKERS["keras"]), "w") as undated:
            for name in sorted(dated.namelist()):
                data = dated.read(name)
                if name == "metadata.json":
                    data = json.dumps({**json.loads(data), "date_saved": _NO_DATE}).encode()
                elif name == "config.json":
                    data = _renumbered(data)
                undated.writestr(zipfile.ZipInfo(name, _NO_TIME), data)


def _renumbered(config: bytes) -> bytes:
    """A model's configuration in which shared objects have the numbers 1, 2, … in the order in which they come."""
    numbers: dict[bytes, bytes] = {}
    return _SHARED.sub(lambda found: numbers.setdefault(found[0], b"%d" % (len(numbers) + 1)), config)
