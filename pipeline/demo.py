"""The main job on an embedded default, command by command: python -m pipeline.demo --out demo (`make demo`).

Each step is the command that a user would type, printed before it runs; run again, finished steps are passed over
quickly, since every command resumes.
"""

import contextlib
import csv
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from schemas.console.interpreter import require_packages
from schemas.console.stopping import deferred_stop, stop_exit_code, stop_on_signals

if __name__ == "__main__":
    stop_on_signals()  # before the other imports, since a user may press ^C while they run

require_packages("train", "corpus")  # of all its steps, before anything is imported that may be missing

import click  # noqa: E402

from schemas.console.commandline import run_command  # noqa: E402
from schemas.console.commands import Command, HelpPage, chosen_flags  # noqa: E402
from schemas.console.errors import EXIT_INTERRUPTED, EXIT_STOPPED, TagscaleError  # noqa: E402
from schemas.console.printer import print_report  # noqa: E402
from schemas.console.report import Column, Line, Report, Table, heading  # noqa: E402
from schemas.console.shown_commands import pipeline_command, training_command  # noqa: E402
from schemas.storage.files import write_atomic  # noqa: E402

TRACKS = 360
SECONDS = 30  # of each track
SEED = 1
RATIOS = "65,10,25"  # train, validation, test: a test split that is large enough to tell models apart

# What a small corpus and a few minutes of two cores want otherwise than the recipe for a million tracks: many small
# steps, the narrow front-end (the paper's on MagnaTagATune), less dropout, and batch norm that follows sooner.
TRAINING = {
    "patch-seconds": 2,
    "batch-size": 16,
    "num-filt": 8,
    "dropout": 0.2,
    "batch-norm-momentum": 0.9,
    "validate-every": 10,
    "select-by": "pr_auc",
}
EPOCHS = 60
TAGGED_FILES = 2
POLL_SECONDS = 0.1  # between two looks whether to stop

PAGE = HelpPage(
    "--out demo --tracks 100 --epochs 20", {"Output": ("--out",), "Work": ("--tracks", "--seconds", "--epochs")}
)

LABEL_SET = """\
name: demo
# every tag that at least five tracks have
min_tracks: 5
"""


@click.command(cls=Command, page=PAGE)
@click.option("--out", default="demo", show_default=True, help="Folder for everything that the demo makes.")
@click.option("--tracks", default=TRACKS, show_default=True, help="Tracks of the corpus.")
@click.option("--seconds", default=float(SECONDS), show_default=True, help="Length of a track.")
@click.option("--epochs", default=EPOCHS, show_default=True, help="Epochs of training.")
@click.pass_context
def demo(context: click.Context, out: str, tracks: int, seconds: float, epochs: int) -> None:
    """Corpus, build, split, label, verify, train, evaluate, export, tag."""
    os.makedirs(out, exist_ok=True)
    label_set = f"{out}/label_set.yaml"
    write_atomic(label_set, LABEL_SET.encode())
    corpus, dataset, run = f"{out}/corpus", f"{out}/dataset", f"{out}/run"
    pipeline, training = ["-m", "pipeline.run"], ["training/run.py"]
    steps = {
        "corpus": [*pipeline, "corpus", "--out", corpus, "--tracks", str(tracks), "--seed", str(SEED)]
        + ["--seconds", f"{seconds:g}"],
        "build": [*pipeline, "build", "--catalog", f"{corpus}/catalog.csv", "--dataset", dataset],
        "split": [*pipeline, "split", "--dataset", dataset, "--name", "default", "--ratios", RATIOS],
        "label": [*pipeline, "label", "--dataset", dataset, "--annotations", f"{corpus}/annotations.csv"]
        + ["--label-set", label_set],
        "verify": [*pipeline, "verify", "--dataset", dataset, "--deep"],
        "train": [*training, "train", "--dataset", dataset, "--label-set", "demo", "--frontend", "spectrogram"]
        + [word for name, value in TRAINING.items() for word in (f"--{name}", str(value))]
        + ["--epochs", str(epochs), "--out", run],
        "evaluate": [*training, "evaluate", "--run", run, "--split", "test", "--baseline"],
        "export": [*training, "export", "--run", run, "--out", f"{run}/saved_model"],
    }
    flags = chosen_flags(context)
    seconds_of = {name: _run(name, [*arguments, *flags]) for name, arguments in steps.items()}
    files = _test_files(corpus, dataset)
    tag = [*training, "tag", "--model", f"{run}/saved_model", *files, *flags]
    seconds_of["tag"] = _run("tag", tag)
    summary = _summary(out, dataset, run, seconds_of)
    write_atomic(f"{out}/summary.json", (json.dumps(summary, indent=2, sort_keys=True) + "\n").encode())
    print_report(Report.of(_parts(out, summary, _played(corpus, files))))


def _run(name: str, arguments: list[str]) -> float:
    """Run a step as a user would; returns its wall time in seconds. A stop waits for the step's own, and for its words."""
    lines = (Line(""), heading(f"== {name}"), Line(f"$ python {shlex.join(arguments)}"))
    print_report(Report(lines))
    started = time.monotonic()
    with deferred_stop() as stop_requested, subprocess.Popen([sys.executable, *arguments]) as step:
        while step.poll() is None and not stop_requested():
            with contextlib.suppress(subprocess.TimeoutExpired):
                step.wait(POLL_SECONDS)
        if stop_requested():
            step.terminate()  # ^C has reached it, and this is nothing new to it; SIGTERM has not
            if step.wait() in (EXIT_STOPPED, EXIT_INTERRUPTED):
                sys.exit(stop_exit_code())
    if step.returncode != 0:
        raise TagscaleError(f"demo: the step {name} ended with exit code {step.returncode}; its words are above")
    return round(time.monotonic() - started, 1)


def _test_files(corpus: str, dataset: str) -> list[str]:
    """Audio files of the first tracks of the test split, in the catalog's order."""
    from pipeline.labels.splits import DEFAULT_SPLIT, existing_split
    from schemas.dataset import Dataset

    table = existing_split(Dataset.open(dataset), DEFAULT_SPLIT).table
    test = {row["track_id"] for row in table.to_pylist() if row["split"] == "test"}
    with open(f"{corpus}/catalog.csv", newline="", encoding="utf-8") as file:
        uris = [row["uri"] for row in csv.DictReader(file) if row["track_id"] in test]
    return [f"{corpus}/{uri}" for uri in uris[:TAGGED_FILES]]


def _played(corpus: str, files: list[str]) -> dict[str, list[str]]:
    """File -> the tags that are true of it."""
    with open(f"{corpus}/catalog.csv", newline="", encoding="utf-8") as file:
        track_of = {f"{corpus}/{row['uri']}": row["track_id"] for row in csv.DictReader(file)}
    with open(f"{corpus}/annotations.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {file: [row["tag"] for row in rows if row["track_id"] == track_of[file]] for file in files}


def _summary(out: str, dataset: str, run: str, seconds_of: dict[str, float]) -> dict[str, Any]:
    with open(f"{run}/evaluation/test.json", encoding="utf-8") as file:
        evaluation = json.load(file)
    with open(f"{dataset}/dataset.json", encoding="utf-8") as file:
        generations = json.load(file)["generations"]
    wanted = ("roc_auc_macro", "pr_auc_macro", "tags", "tags_defined")
    return {
        **{name: evaluation[name] for name in wanted},
        **{
            name: value
            for name, value in evaluation.items()
            if name.endswith("_interval") or name.startswith("baseline_")
        },
        "tracks": sum(entry["tracks"] for entry in generations),
        "rejects": sum(sum(entry["rejects"].values()) for entry in generations),
        "test_tracks": evaluation["tracks"],
        "seconds": seconds_of,
    }


def _parts(out: str, summary: dict[str, Any], played: dict[str, list[str]]) -> Iterator[Line | Table]:
    minutes = sum(summary["seconds"].values()) / 60
    yield Line("")
    yield heading(f"== summary ({minutes:.1f} minutes)")
    yield Line(
        f"Built: {summary['tracks']} tracks decoded once, {summary['rejects']} rejected; {summary['tags']} tags laid over them."
    )
    yield Line(
        f"On the {summary['test_tracks']} test tracks, whose artists the model never heard (95 % intervals over artists):"
    )
    yield Line("")
    rows = []
    for name, prefix in (("spectrogram model", ""), ("logistic regression on band statistics", "baseline_")):
        cells = []
        for metric in ("roc_auc_macro", "pr_auc_macro"):
            value, (low, high) = summary[f"{prefix}{metric}"], summary[f"{prefix}{metric}_interval"]
            # With a few tracks no tag may have both a positive and a negative in the test split, or too few artists.
            ends = "" if low is None else f" [{low:.3f}, {high:.3f}]"
            cells.append("not defined" if value is None else f"{value:.3f}{ends}")
        rows.append((name, *cells))
    columns = (Column(width=38), Column("macro ROC-AUC", 26, gap=" "), Column("macro PR-AUC", gap=" "))
    yield Table(columns, tuple(rows))
    yield Line("")
    yield Line("Tags of the files above; what is really played in them:")
    for file, tags in played.items():
        yield Line(f"  {file}: {', '.join(tags)}")
    words = f"""
{out}/corpus             audio, catalog.csv, annotations.csv
{out}/dataset            feature shards, split, labels: docs/layout.md explains each file
{out}/run                config, checkpoints, metrics, evaluation/test.json and test_per_tag.csv
{out}/run/saved_model    takes raw audio; loads with TensorFlow alone
{out}/summary.json       these numbers

With your own catalog (a CSV with track_id and uri; annotations with track_id and tag; a YAML file with `name: mine`):
  {pipeline_command(*shlex.split("build --catalog catalog.csv --dataset data"))}
  {pipeline_command(*shlex.split("label --dataset data --annotations annotations.csv --label-set mine.yaml"))}
  {training_command(*shlex.split("train --dataset data --label-set mine --frontend spectrogram --out run"))}"""
    yield from map(Line, words.split("\n"))


def main() -> None:
    """Entry point of `python -m pipeline.demo`."""
    run_command(demo, "python -m pipeline.demo")


if __name__ == "__main__":
    main()
