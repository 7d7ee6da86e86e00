"""A dataset with files of every kind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.decode.build import build
from pipeline.decode.options import BuildOptions
from pipeline.decode.sources import SEEN
from pipeline.derive.derive import DeriveOptions, derive
from pipeline.export_records.export import ExportOptions, export_records
from pipeline.labels.overlay import lay_labels
from pipeline.labels.split_method import SplitMethod
from pipeline.labels.splits import make_split
from pipeline.removal.remove import remove
from pipeline.verify import verify
from schemas.dataset import Dataset
from schemas.storage.checksums import with_checksum
from schemas.storage.stored_tables import table_bytes
from tests.conftest import small_catalog

TRACKS, MISSING = 12, 1


@dataclasses.dataclass(frozen=True)
class EveryKind:
    """A dataset with two generations, two families and a derived one, removed tracks, a split, two label versions, an export.

    Attributes:
        root: folder of the dataset.
        export: folder of its exported records.
        catalog: path of its catalog.
        annotations: path of its annotations.
        label_set: path of the newest label set.
    """

    root: Path
    export: Path
    catalog: str
    annotations: str
    label_set: str

    def open(self) -> Dataset:
        return Dataset.open(str(self.root))


@pytest.fixture(scope="package")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> EveryKind:
    """A dataset whose files a test damages and then restores."""
    folder = tmp_path_factory.mktemp("rot")
    root, one = folder / "data", BuildOptions(workers=1, shards=2, families=("logmel", "waveform"), max_reject_rate=1.0)
    catalog = Path(small_catalog(folder, TRACKS, missing=MISSING, seconds=0.3))
    whole = catalog.read_text()
    catalog.write_text("\n".join(whole.splitlines()[:-5]) + "\n")
    build(str(catalog), str(root), one)
    catalog.write_text(whole)
    build(str(catalog), str(root), dataclasses.replace(one, shards=1))
    derive(str(root), DeriveOptions(mels=16, workers=1))
    (folder / "gone.txt").write_text("02\n05\n")
    remove(str(root), str(folder / "gone.txt"), purge=True)
    make_split(Dataset.open(str(root)), "default", SplitMethod((50, 25, 25), salt="c"))
    make_split(Dataset.open(str(root)), "other", None)
    rows = [f"{number:02d},{tag}" for number in range(TRACKS) for tag in ("Rock", "slow")[: 1 + number % 2]]
    (folder / "annotations.csv").write_text("track_id,tag\n" + "\n".join(rows) + "\n")
    for tags in ("Rock", "Rock, slow"):
        (folder / "set.yaml").write_text(f"name: mine\ntags: [{tags}]\n")
        lay_labels(str(root), [str(folder / "annotations.csv")], str(folder / "set.yaml"))
    export_records(str(root), "mine", str(folder / "export"), ExportOptions(workers=1))
    note = {"run": "/runs/a", "label_set": "mine@0123456789ab", "frontend": "waveform"}
    (root / "runs" / "train-0123456789ab.json").write_text(json.dumps(with_checksum(note)))
    seen = pa.table([["00"], ["0" * 64], [1], [1]], names=SEEN.names).cast(SEEN)
    (root / "runs" / "sources.parquet").write_bytes(table_bytes(seen))
    assert verify(str(root), deep=True).problems == ()
    return EveryKind(root, folder / "export", str(catalog), str(folder / "annotations.csv"), str(folder / "set.yaml"))
