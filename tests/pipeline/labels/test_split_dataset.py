"""The library function that takes a dataset's folder makes the same split as the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import split_dataset
from schemas.console.errors import UserError
from tests.conftest import RunPipeline, SmallCorpus


def test_the_command_and_the_function_make_the_same_split(
    dataset: Path, small_corpus: SmallCorpus, run_pipeline: RunPipeline
) -> None:
    options = ("--ratios", "50,25,25", "--salt", "x", "--stratify", small_corpus.annotations)
    made = run_pipeline("split", "--dataset", dataset, "--name", "even", *options)
    assert made.returncode == 0, made.stderr
    split = split_dataset(str(dataset), "even", (50, 25, 25), salt="x", stratify=small_corpus.annotations)
    assert f"split even@{split.version}: " in made.stdout


def test_one_annotation_file_may_come_without_a_list(dataset: Path, small_corpus: SmallCorpus) -> None:
    one = split_dataset(str(dataset), "one", stratify=small_corpus.annotations)
    listed = split_dataset(str(dataset), "listed", stratify=[small_corpus.annotations])
    assert one.version == listed.version


def test_ratios_beside_the_catalogs_split_are_refused(dataset: Path) -> None:
    with pytest.raises(UserError, match="--from-catalog: expected without --ratios"):
        split_dataset(str(dataset), "both", (80, 10, 10), from_catalog=True)
