"""From which score on a track has a tag, and what it means in SQL that a tag flips."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from schemas.tags import Tags
from training.shipping_diff.float16_steps import lowest_step

DEFAULT_THRESHOLD = 0.5
ThresholdsFrom = Literal["option", "model", "default"]


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """The lowest scores with which a track has the common tags.

    Attributes:
        values: The score of each tag; None for a tag that the model never assigns.
        origin: `option` if the user chose one for all, `model` if the model carries them, `default` if it has none.
    """

    values: tuple[float | None, ...]
    origin: ThresholdsFrom


def thresholds_of(tags: Tags, names: Sequence[str], chosen: float | None) -> Thresholds:
    """Thresholds of some tags of a folder: those of its model, or 0.5 for all if it has none.

    Args:
        tags: The folder.
        names: The tags.
        chosen: The user's own threshold for all of them; None to use those of the model.
    """
    if chosen is not None:
        return Thresholds((chosen,) * len(names), "option")
    model = tags.manifest.model
    if not model.thresholds:
        return Thresholds((DEFAULT_THRESHOLD,) * len(names), "default")
    stored = dict(zip(model.tags, model.thresholds, strict=True))
    return Thresholds(tuple(stored[name] for name in names), "model")


@dataclasses.dataclass(frozen=True)
class Decisions:
    """Conditions on the columns `old_i` and `new_i` of the table `pairs`, which hold the steps of tag i.

    Attributes:
        old: The lowest step with which a track has each tag in the old folder.
        new: The same of the new folder.
    """

    old: tuple[int, ...]
    new: tuple[int, ...]

    @classmethod
    def at(cls, old: Thresholds, new: Thresholds) -> Decisions:
        """The decisions at some thresholds."""
        return cls(tuple(map(lowest_step, old.values)), tuple(map(lowest_step, new.values)))

    def __len__(self) -> int:
        return len(self.old)

    def has_old(self, place: int) -> str:
        """A track has a tag in the old folder."""
        return f"(old_{place} >= {self.old[place]})"

    def has_new(self, place: int) -> str:
        """A track has a tag in the new folder."""
        return f"(new_{place} >= {self.new[place]})"

    def gained(self, place: int) -> str:
        """A track has a tag in the new folder alone."""
        return f"({self.has_new(place)} AND NOT {self.has_old(place)})"

    def lost(self, place: int) -> str:
        """A track has a tag in the old folder alone."""
        return f"({self.has_old(place)} AND NOT {self.has_new(place)})"

    def flips(self, place: int) -> str:
        """A track has a tag in one of the folders alone."""
        return f"({self.has_old(place)} <> {self.has_new(place)})"
