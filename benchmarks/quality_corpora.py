"""The corpora of the quality benchmark: rendered ones, folds of ESC-10, and the user's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from benchmarks import esc10
from benchmarks.demo_labels import SECONDS, TRACKS, label_corpus, write_corpus
from benchmarks.fluidsynth_corpus import render_with_fluidsynth, require_fluidsynth
from schemas.console.errors import UserError
from schemas.dataset import Dataset
from schemas.label_version import open_labels

RENDERED = ("rendered", "fluidsynth")
FLUIDSYNTH_SEED = 2  # the demonstration corpus has 1, and so other pieces and artists


@dataclasses.dataclass(frozen=True)
class Corpus:
    """A labelled and split dataset.

    Attributes:
        name: its name in the table.
        dataset: folder of the dataset.
        label_set: name of its label set.
        fold: the fold that is tested, 0 if it has no folds.
    """

    name: str
    dataset: str
    label_set: str
    fold: int = 0

    @property
    def title(self) -> str:
        """Name and fold, by which results are known."""
        return f"{self.name} fold {self.fold}" if self.fold else self.name


@dataclasses.dataclass(frozen=True)
class CorpusOptions:
    """Which corpora to measure on.

    Attributes:
        rendered: some of `RENDERED`.
        tracks: number of tracks of each rendered corpus.
        esc10_folder: folder of ESC-10; None to leave it out.
        folds: folds of ESC-10 that are tested, one after the other.
        validation_share: share of its training folds to validate on.
        dataset: folder of the user's own dataset; None for none.
        label_set: label set of that dataset.
    """

    rendered: Sequence[str] = ()
    tracks: int = TRACKS
    esc10_folder: Path | None = None
    folds: Sequence[int] = esc10.FOLDS
    validation_share: float = esc10.VALIDATION_SHARE
    dataset: str | None = None
    label_set: str | None = None


def transferred(corpus: Corpus, corpora: Sequence[Corpus]) -> list[Corpus]:
    """The other corpora that share tags with one, on which what it taught can be tested; not folds of the same clips."""
    tags = set(_vocabulary(corpus))
    return [other for other in corpora if other.name != corpus.name and not tags.isdisjoint(_vocabulary(other))]


def make_corpora(options: CorpusOptions, folder: Path) -> list[Corpus]:
    """Make the corpora that are not in the folder yet, in the order of the options.

    Raises:
        UserError: none is asked for, or one cannot be made.
    """
    if unknown := set(options.rendered) - set(RENDERED):
        raise UserError(f"--corpus: expected {' or '.join(RENDERED)}, received {', '.join(sorted(unknown))}")
    if (options.dataset is None) != (options.label_set is None):
        raise UserError("--dataset: expected with --label-set, received one of them; give both or none")
    if not (options.rendered or options.esc10_folder or options.dataset):
        raise UserError("expected --corpus, --esc10 or --dataset, received none of them; name what to measure on")
    if "fluidsynth" in options.rendered:
        require_fluidsynth()  # before minutes of rendering
    corpora = [_rendered(name, options.tracks, folder / name) for name in dict.fromkeys(options.rendered)]
    if options.esc10_folder is not None:
        for fold in options.folds:
            made = esc10.write_fold(options.esc10_folder, fold, options.validation_share, folder / f"esc10-{fold}")
            corpora.append(Corpus("esc10", *made, fold=fold))
    if options.dataset is not None and options.label_set is not None:
        corpora.append(Corpus("own", options.dataset, options.label_set))
    return corpora


def _vocabulary(corpus: Corpus) -> tuple[str, ...]:
    return tuple(open_labels(Dataset.open(corpus.dataset), corpus.label_set).vocabulary)


def _rendered(name: str, tracks: int, folder: Path) -> Corpus:
    folder.mkdir(parents=True, exist_ok=True)
    if name == "rendered":
        return Corpus(name, *write_corpus(folder, tracks))
    render_with_fluidsynth(folder / "corpus", tracks, FLUIDSYNTH_SEED, SECONDS)
    return Corpus(name, *label_corpus(folder, tracks))
