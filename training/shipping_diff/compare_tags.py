"""Compare the tags that two models gave to the same catalog. The command `compare --tags` calls `compare_tags`."""

from __future__ import annotations

import dataclasses

from schemas.console.errors import UserError
from schemas.features import features_name, waveform_of
from schemas.tags import Tags
from training.shipping_diff.common_tracks import CommonTracks, find_common
from training.shipping_diff.database import open_database
from training.shipping_diff.decisions import Decisions, ThresholdsFrom, thresholds_of
from training.shipping_diff.per_tag import diff_tags
from training.shipping_diff.per_track import count_flips, diff_groups, tracks_to_hear
from training.shipping_diff.result import ShippingDiff, Side
from training.shipping_diff.score_pairs import store_pairs


@dataclasses.dataclass(frozen=True)
class DiffOptions:
    """Options of a comparison of tags; see `training/run.py compare --help`.

    Attributes:
        by: `group`, or a column of the catalog, whose values are compared with each other; None for none.
        catalog: The catalog with that column; None for the one that was tagged.
        threshold: Lowest score with which a track has a tag; None for those of each model, or 0.5 if it has none.
    """

    by: str | None = None
    catalog: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UserError(f"--threshold: expected 0 to 1, received {self.threshold:g}")


def compare_tags(old: str, new: str, options: DiffOptions | None = None) -> ShippingDiff:
    """Compare the tags that may ship with those in use, on the tracks and tags that both have. Deterministic.

    Tags are matched by name, tracks by id. The newest record of a track counts, and tracks that were removed do not.

    Args:
        old: Folder of the tags in use.
        new: Folder of the tags that may replace them.
        options: Threshold and groups.

    Raises:
        UserError: There are no such tags, or none of the tags or tracks is in both, or an option is wrong.
        DatasetError: The tags are damaged.
    """
    options = options or DiffOptions()
    before, after = Tags.open(old), Tags.open(new)
    known = set(before.manifest.model.tags)
    tags = tuple(tag for tag in after.manifest.model.tags if tag in known)
    if not tags:
        raise UserError(f"{old}, {new}: expected tags in both vocabularies, found none; tags are matched by name")
    thresholds = (
        thresholds_of(before, tags, options.threshold),
        thresholds_of(after, tags, options.threshold),
    )
    decisions = Decisions.at(*thresholds)
    with open_database() as database:
        common = find_common(database, before, after, options.by, options.catalog)
        store_pairs(database, before, after, tags, common.tracks)
        per_tag = diff_tags(database, tags, thresholds, decisions, common.tracks)
        flipped_tracks = count_flips(database, decisions)
        examples = tracks_to_hear(database, tags, decisions)
        group_count, groups = (0, ()) if options.by is None else diff_groups(database, tags, decisions)
    return ShippingDiff(
        old=_side(before, 0, common, tags, thresholds[0].origin),
        new=_side(after, 1, common, tags, thresholds[1].origin),
        tracks=common.tracks,
        removed=common.removed,
        tags=per_tag,
        flipped_tracks=flipped_tracks,
        examples=examples,
        by=options.by,
        group_count=group_count,
        groups=groups,
    )


def _side(
    tags: Tags, number: int, common: CommonTracks, common_tags: tuple[str, ...], thresholds_from: ThresholdsFrom
) -> Side:
    model, spec = tags.manifest.model, tags.manifest.spec
    excerpt = waveform_of(spec).excerpt
    return Side(
        root=tags.layout.root,
        model=model.sha256,
        labels=model.labels,
        features=f"{features_name(spec)} of {excerpt}",
        excerpt=excerpt,
        scored=common.scored[number],
        only=common.only[number],
        only_tags=tuple(tag for tag in model.tags if tag not in common_tags),
        thresholds_from=thresholds_from,
        under_way=tags.under_way_words(),
        missing_source=common.missing_sources[number],
        head_alone=tags.manifest.source.embeddings is not None,
    )
