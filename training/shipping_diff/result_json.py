"""The result of comparing two folders of tags as JSON."""

from __future__ import annotations

import math
from typing import Any

from training.shipping_diff.result import FlipGate, ShippingDiff, Side, TagDiff


def diff_json(diff: ShippingDiff, gate: FlipGate | None) -> dict[str, Any]:
    """All of it as JSON holds it; undefined values are null."""
    return {
        "format": 1,
        "old": _side(diff.old),
        "new": _side(diff.new),
        "tracks": diff.tracks,
        "removed": diff.removed,
        "flips": diff.flips,
        "rate": diff.rate,
        "flipped_tracks": diff.flipped_tracks,
        "per_tag": [_tag(one) for one in diff.tags],
        "by": diff.by,
        "groups": diff.group_count,
        "per_group": [
            {
                "name": one.name,
                "tracks": one.tracks,
                "flips": one.flips,
                "gained": one.gained,
                "lost": one.lost,
                "rate": one.rate,
                "tags": dict(one.tags),
            }
            for one in diff.groups
        ],
        "listen": [
            {
                "track_id": one.track_id,
                "group": one.group,
                "flips": [
                    {"tag": flip.tag, "gained": flip.is_gained, "old": flip.old, "new": flip.new} for flip in one.flips
                ],
            }
            for one in diff.examples
        ],
        "gate": None if gate is None else {"max_flips": gate.limit, "passed": gate.passed},
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "tags": side.root,
        "model": side.model,
        "labels": side.labels,
        "features": side.features,
        "tracks": side.scored,
        "tracks_only_here": side.only.tracks,
        "rejected_there": side.only.rejected,
        "first_tracks_only_here": list(side.only.first),
        "tags_only_here": list(side.only_tags),
        "thresholds_from": side.thresholds_from,
        "under_way": side.under_way,
        "missing_source": side.missing_source,
        "head_alone": side.head_alone,
    }


def _tag(one: TagDiff) -> dict[str, Any]:
    return {
        "tag": one.tag,
        "threshold_old": one.old_threshold,
        "threshold_new": one.new_threshold,
        "old": one.old,
        "new": one.new,
        "gained": one.gained,
        "lost": one.lost,
        "flips": one.flips,
        "rate": one.rate,
        "jaccard": _defined(one.jaccard),
        "mean_old": one.old_mean,
        "mean_new": one.new_mean,
        "shift": one.shift,
        "absolute_shift": one.absolute_shift,
        "spearman": _defined(one.spearman),
        "top": one.top,
        "top_overlap": one.overlap,
    }


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else value
