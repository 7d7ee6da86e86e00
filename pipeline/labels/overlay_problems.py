"""Find problems with the splits and the label sets over a dataset, one line each, for `verify`."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.labels.splits import read_split, split_log
from schemas.console.errors import TagscaleError
from schemas.console.shown_commands import pipeline_command
from schemas.dataset import Dataset
from schemas.label_version import newest_version, read_label_files, versions_in_order, versions_there
from schemas.storage.files import exists, join, list_names

_LOG_NAME = "log.jsonl"


def split_problems(dataset: Dataset) -> Iterator[str]:
    """Problems with each split's log, and with every version that the log names or that exists."""
    layout = dataset.layout
    for name in list_names(layout.splits("").rstrip("/")):
        versions = {file.removesuffix(".parquet") for file in list_names(layout.splits(name)) if file != _LOG_NAME}
        try:
            versions |= {entry["version"] for entry in split_log(dataset, name)}
        except TagscaleError as error:
            yield str(error)
        for version in sorted(versions):
            try:
                read_split(dataset, name, version)
            except TagscaleError as error:
                yield str(error)


def label_versions(dataset: Dataset) -> list[tuple[str, str]]:
    """Label set and hash of each existing version."""
    layout = dataset.layout
    return [
        (name, version)
        for name in list_names(layout.label_sets)
        for version in list_names(layout.label_set(name))
        if version != _LOG_NAME
    ]


def label_problems(dataset: Dataset) -> Iterator[str]:
    """Problems with each label set's log and with every existing version; the log may name versions that were pruned."""
    for name in list_names(dataset.layout.label_sets):
        try:
            if exists(dataset.layout.label_log(name)) or versions_there(dataset, name):
                newest_version(dataset, name, versions_in_order(dataset, name))
        except TagscaleError as error:
            yield str(error)
    for name, version in label_versions(dataset):
        yield from _version_problems(dataset, name, version)


def _version_problems(dataset: Dataset, name: str, version: str) -> Iterator[str]:
    folder = dataset.layout.label_version(name, version)
    if not exists(join(folder, "labels.json")):
        yield f"{folder}: has no labels.json: laying the label set was cut short; run `{pipeline_command('label')}` again"
        return
    try:
        labels = read_label_files(dataset, name, version)
    except TagscaleError as error:
        yield str(error)
        return
    if dataset.identity()[: len(labels.manifest.generations)] != labels.manifest.generations:
        yield f"{folder}: was laid over another dataset's tracks"
