"""ESC-10: 400 recordings of ten sounds in five fixed folds, of which one is tested and the others are trained on.

K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015. The folder holds catalog.csv
(track_id, uri, group, fold), annotations.csv (track_id, tag) and the audio; clips of one recording have one `group`.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from schemas.console.errors import UserError

FOLDS = (1, 2, 3, 4, 5)
VALIDATION_SHARE = 0.1  # of the training folds
LABEL_SET = "esc10"
# Accuracy in the paper above, sections 3.1 and 3.2: means over the same five folds, but people heard all clips.
PUBLISHED: Mapping[str, float] = {"people": 0.957, "random forest": 0.727, "linear SVM": 0.675, "k-NN": 0.667}
PUBLISHED_SOURCE = 'Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015'


@dataclass(frozen=True)
class Clip:
    """A row of the catalog.

    Attributes:
        track_id: id of the clip.
        path: absolute path of its audio.
        group: the recording that it was cut from.
        fold: 1 to 5.
        tag: its only tag.
    """

    track_id: str
    path: str
    group: str
    fold: int
    tag: str


def read_clips(folder: Path) -> list[Clip]:
    """The clips of the corpus, in the order of the catalog.

    Raises:
        UserError: the folder holds no such corpus.
    """
    catalog, annotations = _rows(folder / "catalog.csv"), _rows(folder / "annotations.csv")
    try:
        tags = {row["track_id"]: row["tag"] for row in annotations}
        return [
            Clip(
                track_id=row["track_id"],
                path=str((folder / row["uri"]).resolve()),
                group=row["group"],
                fold=int(row["fold"]),
                tag=tags[row["track_id"]],
            )
            for row in catalog
        ]
    except (KeyError, ValueError) as error:
        raise UserError(
            f"--esc10 {folder}: expected columns track_id, uri, group, fold (1 to 5) and a tag for each track, received no "
            f"{error}; give the folder of ESC-10"
        ) from error


def sides(clips: Sequence[Clip], fold: int, validation_share: float = VALIDATION_SHARE) -> dict[str, str]:
    """The side of each clip when one fold is tested: whole groups of every tag are taken out of the others to validate on.

    Args:
        clips: all clips.
        fold: the fold that is tested.
        validation_share: share of each tag's clips in the other folds to validate on, at least one group.

    Returns:
        track_id -> train, validation or test; the same every time.

    Raises:
        UserError: there is no such fold, or nothing is left to train a tag on.
    """
    if fold not in {clip.fold for clip in clips}:
        raise UserError(f"--folds: expected some of {', '.join(map(str, FOLDS))}, received {fold}")
    others = [clip for clip in clips if clip.fold != fold]
    validated: set[str] = set()
    for tag in sorted({clip.tag for clip in others}):
        of_tag = [clip.group for clip in others if clip.tag == tag]
        validated |= _validation_groups(of_tag, max(1, round(validation_share * len(of_tag))), fold)
        if validated.issuperset(of_tag):
            raise UserError(
                f"--validation-share: expected one that leaves clips of {tag} to train on, received {validation_share:g}"
            )
    return {
        clip.track_id: "test" if clip.fold == fold else "validation" if clip.group in validated else "train"
        for clip in clips
    }


def write_fold(source: Path, fold: int, validation_share: float, folder: Path) -> tuple[str, str]:
    """Build and label the corpus for one fold; returns the dataset's folder and the label set's name."""
    from pipeline.decode.build import build
    from pipeline.decode.options import BuildOptions
    from pipeline.labels.overlay import lay_labels
    from pipeline.labels.split_method import SplitMethod
    from pipeline.labels.splits import DEFAULT_SPLIT, make_split
    from schemas.dataset import Dataset

    clips = read_clips(source)
    side = sides(clips, fold, validation_share)
    folder.mkdir(parents=True, exist_ok=True)
    catalog, label_set, root = folder / "catalog.csv", folder / f"{LABEL_SET}.yaml", str(folder / "data")
    with open(catalog, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("track_id", "uri", "group", "split"))
        writer.writerows((clip.track_id, clip.path, clip.group, side[clip.track_id]) for clip in clips)
    build(str(catalog), root, BuildOptions(excerpt="full"))
    make_split(Dataset.open(root), DEFAULT_SPLIT, SplitMethod(ratios=None))
    label_set.write_text(f"name: {LABEL_SET}\n")
    lay_labels(root, [str(source / "annotations.csv")], str(label_set))
    return root, LABEL_SET


def _validation_groups(groups: Sequence[str], wanted: int, fold: int) -> set[str]:
    """Groups with so many clips together, or fewer; the smallest one if every group has more."""
    sizes = {group: groups.count(group) for group in groups}
    order = sorted(sizes, key=lambda group: hashlib.sha256(f"{fold} {group}".encode()).hexdigest())
    taken: set[str] = set()
    for group in order:
        if sizes[group] <= wanted:
            taken.add(group)
            wanted -= sizes[group]
    return taken or {min(order, key=lambda group: sizes[group])}


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise UserError(
            f"--esc10: expected {path}, which cannot be read: {error.strerror}; check the folder"
        ) from error
