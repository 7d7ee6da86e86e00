"""A rendered corpus, built, split and labelled, for benchmarks that run whole trainings."""

from __future__ import annotations

from pathlib import Path

TRACKS, SECONDS = 900, 8


def write_corpus(folder: Path) -> tuple[str, str]:
    """Build and label the demonstration corpus; returns the dataset's folder and the label set's name."""
    from pipeline.corpus.render import render_corpus
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.split_method import SplitMethod
    from pipeline.labels.splits import DEFAULT_SPLIT, make_split
    from schemas.dataset import Dataset

    corpus, root = folder / "corpus", str(folder / "data")
    render_corpus(str(corpus), tracks=TRACKS, seed=1, seconds=SECONDS)
    build(str(corpus / "catalog.csv"), root, BuildOptions(excerpt="full"))
    make_split(Dataset.open(root), DEFAULT_SPLIT, SplitMethod((70, 10, 20)))
    (folder / "options.yaml").write_text("name: options\nmin_tracks: 20\n")
    lay_labels(root, [str(corpus / "annotations.csv")], str(folder / "options.yaml"))
    return root, "options"
