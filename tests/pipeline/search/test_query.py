"""An audio file is decoded and scored as the tracks of the catalog were, and only by their model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pipeline.search.page import write_page
from pipeline.search.similar import SimilarOptions, similar
from pipeline.tagging.options import TagOptions
from pipeline.tagging.tag import tag
from schemas.console.errors import UserError
from schemas.features import LogMelSpec, WaveformSpec
from schemas.tags import Tags
from tests.conftest import small_catalog
from tests.pipeline.tagging.conftest import write_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """The folder of a tagged catalog of five sounds of three seconds; tests only read it."""
    folder = tmp_path_factory.mktemp("catalog")
    options = TagOptions(workers=1, shards=1)
    assert (
        tag(str(model), str(folder / "tags"), catalog=small_catalog(folder, 5, seconds=3), options=options).records == 5
    )
    return folder


def test_a_file_of_the_catalog_is_its_own_nearest(catalog: Path, model: Path, tmp_path: Path) -> None:
    tags, file = str(catalog / "tags"), str(catalog / "03.wav")
    found = similar(tags, file=file, model=str(model))
    nearest = found.neighbours[0]
    assert (nearest.track_id, nearest.similarity, nearest.top_tags) == ("03", 1.0, found.query.top_tags)
    assert (len(found.neighbours), found.query.track_id, found.file) == (5, None, file)
    stored = similar(tags, track="03")
    assert [one.track_id for one in stored.neighbours] == [one.track_id for one in found.neighbours[1:]]
    others = similar(tags, file=file, model=str(model), options=SimilarOptions(not_same_audio=True))
    assert [dataclasses.replace(one, rank=one.rank + 1) for one in others.neighbours] == list(found.neighbours[1:])
    write_page(found, str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("<audio") == 6


def test_a_file_that_cannot_be_heard_is_one_line(catalog: Path, model: Path, tmp_path: Path, run_pipeline) -> None:
    (tmp_path / "text.mp3").write_text("no audio")
    words = ("similar", "--index", catalog / "tags", "--model", model, "--file")
    for name, cause in (("text.mp3", "unsupported_format"), ("nothing.wav", "not_found")):
        ended = run_pipeline(*words, tmp_path / name)
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
        assert f"error: --file: {tmp_path / name}: {cause}: " in ended.stderr


def test_another_model_is_refused(catalog: Path, model: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", LogMelSpec(WaveformSpec("center:30")), seed=1)
    held = Tags.open(str(catalog / "tags")).manifest.model.sha256[:12]
    with pytest.raises(UserError, match=f"its embeddings are those of another model .*{held}") as caught:
        similar(str(catalog / "tags"), file=str(catalog / "00.wav"), model=str(other))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"expected a SavedModel, found no saved_model\.pb"):
        similar(str(catalog / "tags"), file=str(catalog / "00.wav"), model=str(tmp_path))
