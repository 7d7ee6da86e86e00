"""The commands `split`, `label` and `diff` of the pipeline's command line."""

from __future__ import annotations

import click

from pipeline.command_options import dataset_option, json_option
from pipeline.help_pages import PAGES
from schemas.console.commands import Command
from schemas.console.printer import print_either, print_report


@click.command("split", cls=Command, page=PAGES["split"])
@dataset_option
@click.option("--name", required=True, help="Name of the split.")
@click.option("--ratios", help="Shares of train, validation, test [default: 80,10,10].")
@click.option("--salt", default="", help="Text that changes which groups fall on which side.")
@click.option("--from-catalog", is_flag=True, help="Take the catalog's split column.")
@click.option(
    "--stratify", multiple=True, help="Annotation file; each side gets its share of every tag. May be repeated."
)
def split_command(
    dataset: str, name: str, ratios: str | None, salt: str, from_catalog: bool, stratify: tuple[str, ...]
) -> None:
    """Make a split by hash of the group (artist), stratified, or from the catalog; a group never straddles two sides."""
    from pipeline.labels.split_dataset import split_dataset
    from pipeline.labels.split_method import parse_ratios
    from pipeline.labels.summary import split_report

    shares = parse_ratios(ratios) if ratios else None
    split = split_dataset(dataset, name, shares, salt=salt, from_catalog=from_catalog, stratify=stratify)
    print_report(split_report(split, dataset))


@click.command("label", cls=Command, page=PAGES["label"])
@dataset_option
@click.option(
    "--annotations",
    required=True,
    multiple=True,
    help="Annotation file. May be repeated; an earlier file takes precedence.",
)
@click.option("--label-set", required=True, help="YAML file that defines the tags.")
@click.option(
    "--split",
    help="A split made before [default: the one that the label set lies on; for a new one `split:` of its file, or else the "
    "split default, made if need be].",
)
@click.argument("more_annotations", nargs=-1)
def label_command(
    dataset: str, annotations: tuple[str, ...], label_set: str, split: str | None, more_annotations: tuple[str, ...]
) -> None:
    """Lay a label set and its vocabulary over a dataset. Nothing is decoded, and no feature file is opened."""
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.summary import label_report

    summary = lay_labels(dataset, [*annotations, *more_annotations], label_set, split)
    print_report(label_report(summary, dataset))


@click.command("diff", cls=Command, page=PAGES["diff"])
@dataset_option
@json_option
@click.argument("before")
@click.argument("after")
def diff_command(dataset: str, before: str, after: str, as_json: bool) -> None:
    """Compare two label versions, each NAME (its newest) or NAME@HASH: tags, and the tracks that each gained or lost."""
    from pipeline.labels.diff import label_diff
    from pipeline.labels.summary import diff_report
    from schemas.dataset import Dataset
    from schemas.label_version import open_labels

    opened = Dataset.open(dataset)
    diff = label_diff(open_labels(opened, before), open_labels(opened, after))
    print_either(as_json, diff.to_dict, lambda: diff_report(diff))
