"""The closing words of a comparison of two folders of tags."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.console.report import Column, Line, Report, Table, following, heading, warning, widest
from schemas.console.shown_commands import training_command
from training.shipping_diff.result import FlipGate, GroupDiff, ShippingDiff, Side, TagDiff

SHOWN = 10  # tags, and groups, with most flips
_NAMED = 10  # tags named in a sentence

_TAG_COLUMNS = ("flips", "rate", "gained", "lost", "old", "new", "shift", "Spearman", "top")


def diff_report(diff: ShippingDiff, gate: FlipGate | None, page: str | None) -> Report:
    """The figures in all, the tags and groups that flip most, what was left out, and the gate's verdict."""
    return Report.of(_parts(diff, gate, page))


def _parts(diff: ShippingDiff, gate: FlipGate | None, page: str | None) -> Iterator[Line | Table]:
    old, new = diff.old, diff.new
    yield heading(
        f"{new.root} against {old.root} on {diff.tracks:,} tracks in both and {len(diff.tags):,} tags in both: {rate_words(diff)}"
    )
    yield from map(warning, warnings(diff))
    yield Line(
        f"  tracks with a flip    {diff.flipped_tracks:,} ({diff.flipped_tracks / diff.tracks:.2%}); tags gained "
        f"{sum(one.gained for one in diff.tags):,}, lost {sum(one.lost for one in diff.tags):,}"
    )
    for side in (old, new):
        yield Line(f"  {side_words(side)}")
    shown = diff.most_flipped()[:SHOWN]
    yield Line("  tags that flip most:" if len(shown) < len(diff.tags) else "  tags:")
    columns = (
        Column("tag", widest([one.tag for one in shown] + ["tag"]), gap="    "),
        *(Column(name, 9, right=True) for name in _TAG_COLUMNS),
    )
    yield Table(columns, tuple(_tag_cells(one) for one in shown))
    if diff.by is not None:
        yield from _groups(diff)
    yield from map(Line, map("  {}".format, left_out(diff)))
    if gate is not None:
        yield Line(verdict(gate), "heading" if gate.passed else "problem")
    if page is not None:
        yield Line(f"  {len(diff.examples)} tracks to listen to in {page}")
    elif diff.examples:
        yield following(training_command("compare", "--tags", old.root, new.root, "--html", "diff.html"))


def rate_words(diff: ShippingDiff) -> str:
    """How many tags flip in all."""
    return f"{diff.flips:,} of {diff.tracks * len(diff.tags):,} flip ({diff.rate:.3%})"


def warnings(diff: ShippingDiff) -> list[str]:
    """What a reader must know before trusting the figures."""
    found = []
    if diff.old.excerpt != diff.new.excerpt:
        found.append(
            f"{diff.old.root} heard {diff.old.excerpt} of each track, {diff.new.root} {diff.new.excerpt}: which flips tags too"
        )
    if diff.old.head_alone != diff.new.head_alone:
        alone, whole = (diff.old, diff.new) if diff.old.head_alone else (diff.new, diff.old)
        found.append(
            f"{alone.root} has scores of mean embeddings (`tag --embeddings`), {whole.root} means of the scores of patches: "
            "which flips tags too"
        )
    for side in (diff.old, diff.new):
        if side.missing_source is not None:
            found.append(
                f"the tagged dataset {side.missing_source} is not there: tracks removed from it since may be among these"
            )
        if side.under_way is not None:
            found.append(f"{side.root}: {side.under_way}, and does not count")
    return found


def side_words(side: Side) -> str:
    """The model of a folder, what it read, and where its thresholds come from."""
    origin = {"option": "of --threshold", "model": "of the model", "default": "0.5, since the model has none"}
    return f"{side.root}: model {side.model[:12]} ({side.labels}) on {side.features}; thresholds {origin[side.thresholds_from]}"


def left_out(diff: ShippingDiff) -> list[str]:
    """The tracks and tags that only one of the folders has, and the tracks that were removed."""
    found = []
    for side, other in ((diff.old, diff.new), (diff.new, diff.old)):
        if side.only.tracks:
            rejected = [f"{count:,} {cause}" for cause, count in side.only.rejected.items()]
            because = f", of which {other.root} rejected {', '.join(rejected)}" if rejected else ""
            found.append(f"tracks with scores only in {side.root}: {side.only.tracks:,}{because}")
        if side.only_tags:
            more = f" and {len(side.only_tags) - _NAMED:,} more" if len(side.only_tags) > _NAMED else ""
            found.append(f"tags only in {side.root}: {', '.join(side.only_tags[:_NAMED])}{more}")
    if diff.removed:
        found.append(f"tracks that were removed, which do not count: {diff.removed:,}")
    return found


def verdict(gate: FlipGate) -> str:
    """Whether the gate lets the new model ship."""
    if gate.passed:
        return f"passed: {gate.rate:.3%} of all tags of all tracks flip, which is not more than {gate.limit:.3%}"
    return f"failed: {gate.rate:.3%} of all tags of all tracks flip, which is more than {gate.limit:.3%}"


def group_words(one: GroupDiff) -> str:
    """The tags that flip most in a group."""
    return ", ".join(f"{tag} {flips:,}" for tag, flips in one.tags)


def _tag_cells(one: TagDiff) -> tuple[str, ...]:
    spearman = "–" if one.spearman != one.spearman else f"{one.spearman:.4f}"
    return (
        one.tag,
        f"{one.flips:,}",
        f"{one.rate:.2%}",
        f"{one.gained:,}",
        f"{one.lost:,}",
        f"{one.old:,}",
        f"{one.new:,}",
        f"{one.shift:+.4f}",
        spearman,
        f"{one.overlap:.0%}",
    )


def _groups(diff: ShippingDiff) -> Iterator[Line | Table]:
    shown = diff.groups[:SHOWN]
    yield Line(f"  {diff.group_count:,} values of {diff.by}, those with most flips beyond the mean rate first:")
    names = [one.name or "(none)" for one in shown]
    columns = (
        Column(str(diff.by), widest([*names, str(diff.by)]), gap="    "),
        *(Column(name, 9, right=True) for name in ("tracks", "flips", "rate", "gained", "lost")),
        Column("most often"),
    )
    cells = (
        (
            name,
            f"{one.tracks:,}",
            f"{one.flips:,}",
            f"{one.rate:.2%}",
            f"{one.gained:,}",
            f"{one.lost:,}",
            group_words(one),
        )
        for name, one in zip(names, shown, strict=True)
    )
    yield Table(columns, tuple(cells))
