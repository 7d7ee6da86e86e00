"""Render a comparison of two folders of tags as one HTML page, on which the tracks that flip can be heard."""

from __future__ import annotations

from schemas.console.page import render_page
from schemas.planned_audio import planned_uris
from schemas.players import Heard
from schemas.storage.files import write_atomic
from schemas.tags import Tags
from training.shipping_diff.result import FlipGate, ShippingDiff
from training.shipping_diff.summary import group_words, left_out, side_words, verdict, warnings

_GROUPS = 100  # shown on the page


def write_page(diff: ShippingDiff, uri: str, gate: FlipGate | None = None, *, catalog: str | None = None) -> None:
    """Write a comparison as a page.

    Args:
        diff: The comparison.
        uri: The page, a local path or a URI.
        gate: The gate's verdict, if it was asked for.
        catalog: The catalog, to whose folder relative uris refer; None for the one that was tagged.

    Raises:
        DatasetError: A plan of the new tags, which names the audio, is missing or damaged.
    """
    places = {track.track_id: track.place for track in diff.examples}
    uris = planned_uris(Tags.open(diff.new.root), places, catalog)
    text = render_page(
        "training.shipping_diff",
        "shipping_diff.html",
        title=f"{diff.new.root} against {diff.old.root}",
        diff=diff,
        gate=gate,
        verdict=None if gate is None else verdict(gate),
        warnings=warnings(diff),
        sides=[side_words(side) for side in (diff.old, diff.new)],
        left_out=left_out(diff),
        groups=[(one, group_words(one)) for one in diff.groups[:_GROUPS]],
        rows=[(track, Heard.on(uri, uris.get(track.track_id))) for track in diff.examples],
    )
    write_atomic(uri, text.encode())
