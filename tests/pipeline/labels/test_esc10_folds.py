"""The folds of ESC-10: what is tested was never trained on, nor was anything cut from the same recording."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.esc10 import FOLDS, Clip, read_clips, sides
from schemas.console.errors import UserError

MATERIAL = Path(__file__).parents[4] / "shared" / "material" / "esc10"


def _made_up() -> list[Clip]:
    """Fifty clips of two tags in five folds; a recording is cut into one to four clips."""
    sizes = (1, 1, 2, 1)
    return [
        Clip(f"{fold}-{tag}-{recording}-{part}", "", f"{fold}-{tag}-{recording}", fold, tag)
        for fold in FOLDS
        for tag in ("rain", "rooster")
        for recording, size in enumerate(sizes)
        for part in range(size)
    ]


def _check(clips: Sequence[Clip], share: float) -> None:
    tested: Counter[str] = Counter()
    for fold in FOLDS:
        side = sides(clips, fold, share)
        assert side == sides(clips, fold, share)
        of_group = defaultdict(set)
        for clip in clips:
            of_group[clip.group].add(side[clip.track_id])
            assert (side[clip.track_id] == "test") == (clip.fold == fold)
        assert all(len(found) == 1 for found in of_group.values())
        for wanted in ("train", "validation", "test"):
            assert {clip.tag for clip in clips if side[clip.track_id] == wanted} == {clip.tag for clip in clips}
        tested.update(clip.track_id for clip in clips if side[clip.track_id] == "test")
    assert set(tested.values()) == {1}
    assert len(tested) == len(clips)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_no_recording_lies_on_two_sides_and_every_clip_is_tested_once(share: float) -> None:
    _check(_made_up(), share)


@pytest.mark.skipif(not MATERIAL.exists(), reason="needs the recordings of ESC-10")
def test_no_recording_of_esc10_lies_on_two_sides() -> None:
    clips = read_clips(MATERIAL)
    _check(clips, 0.1)
    validated = Counter(sides(clips, 1, 0.1).values())
    assert (validated["test"], validated["validation"]) == (80, 30)


def test_wrong_folds_shares_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--folds: expected some of 1, 2, 3, 4, 5, received 6"):
        sides(_made_up(), 6)
    with pytest.raises(UserError, match="--validation-share: expected one that leaves clips of rain"):
        sides(_made_up(), 1, 1.0)
    with pytest.raises(UserError, match=r"catalog\.csv, which cannot be read"):
        read_clips(tmp_path)
