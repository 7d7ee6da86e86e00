"""A rendered corpus, built, split and labelled, for benchmarks that run whole trainings."""

from __future__ import annotations

from pathlib import Path

TRACKS, SECONDS = 900, 8
RATIOS = (70.0, 10.0, 20.0)
LABEL_SET = "options"
_LEAST_SHARE = 45  # a tag needs one track in so many: 20 of 900


def write_corpus(folder: Path, tracks: int = TRACKS) -> tuple[str, str]:
    """Build and label the demonstration corpus; returns the dataset's folder and the label set's name."""
    from pipeline.corpus.render import render_corpus

    render_corpus(str(folder / "corpus"), tracks=tracks, seed=1, seconds=SECONDS)
    return label_corpus(folder, tracks)


def label_corpus(folder: Path, tracks: int) -> tuple[str, str]:
    """Build and label the corpus in FOLDER/corpus; returns the dataset's folder and the label set's name."""
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.split_method import SplitMethod
    from pipeline.labels.splits import DEFAULT_SPLIT, make_split
    from schemas.dataset import Dataset

    corpus, root, label_set = folder / "corpus", str(folder / "data"), folder / f"{LABEL_SET}.yaml"
    build(str(corpus / "catalog.csv"), root, BuildOptions(excerpt="full"))
    make_split(Dataset.open(root), DEFAULT_SPLIT, SplitMethod(RATIOS))
    label_set.write_text(f"name: {LABEL_SET}\nmin_tracks: {max(1, tracks // _LEAST_SHARE)}\n")
    lay_labels(root, [str(corpus / "annotations.csv")], str(label_set))
    return root, LABEL_SET
