from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.info.overview import info
from schemas.console.errors import UserError
from schemas.storage.checksums import with_checksum


def test_the_newest_version_of_each_label_set_is_looked_through_or_the_one_asked_for(dataset: Path, lay) -> None:
    first, second = lay("name: mine\ntags: [low]\n"), lay("name: mine\ntags: [noise, low]\n")
    other = lay("name: other\ntags: [tremolo]\n")
    newest = [f"mine@{second.version}", f"other@{other.version}"]
    assert [health.reference for health in info(str(dataset)).labels] == newest
    assert [health.reference for health in info(str(dataset), "mine").labels] == newest[:1]
    (asked,) = info(str(dataset), f"mine@{first.version}").labels
    assert [tag.tag for tag in asked.tags] == ["low"]


def test_a_name_that_is_not_there_is_an_error_with_the_nearest(dataset: Path, lay) -> None:
    version = lay("name: mine\n").version
    with pytest.raises(UserError, match="did you mean 'mine'"):
        info(str(dataset), "mime")
    with pytest.raises(UserError, match=f"did you mean '{version}'"):
        info(str(dataset), f"mine@{version[:-1]}")


def test_a_damaged_label_set_hides_no_other_one(dataset: Path, lay) -> None:
    broken = lay("name: broken\n")
    lay("name: whole\n")
    manifest = dataset / "labels" / "broken" / broken.version / "labels.json"
    fields = json.loads(manifest.read_text())
    fields["generations"] = ["another dataset's"]
    manifest.write_text(json.dumps(with_checksum(fields)))
    found = info(str(dataset))
    assert [health.reference.partition("@")[0] for health in found.labels] == ["whole"]
    assert len(found.problems) == 1
    assert "was laid over another dataset's tracks" in found.problems[0]
    with pytest.raises(UserError, match="was laid over another dataset's tracks"):
        info(str(dataset), "broken")


def test_no_payload_is_opened(dataset: Path, lay) -> None:
    lay("name: mine\n")
    for payload in dataset.rglob("*.tfrecord"):
        payload.unlink()
    assert len(info(str(dataset)).labels[0].tags) == 3
