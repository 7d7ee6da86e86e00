"""An overview as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.info.dataset_facts import DatasetFacts
from pipeline.info.findings import findings, merge_words
from pipeline.info.label_health import BINS, LabelHealth, TagHealth
from pipeline.info.overview import Overview
from schemas.console.page import Cell, bullets, table, text, tiles, whole_page
from schemas.storage.files import write_atomic
from schemas.tables import SPLITS

_SHOWN = 2000  # tags and pairs in a table: a browser's own limit is not far above
_BIN_WIDTH, _BIN_HEIGHT = 9, 22  # pixels of a bin of graded values
_BAR_REM = 24  # width of the longest bar


def write_page(overview: Overview, uri: str) -> None:
    """Write an overview as a page; the same overview gives the same bytes."""
    write_atomic(uri, page(overview).encode())


def page(overview: Overview) -> str:
    """The page: what the dataset holds, then each label version; every text from outside is escaped."""
    parts = [*_dataset(overview.dataset)]
    if overview.problems:
        parts.append(bullets(overview.problems))
    for health in overview.labels:
        parts += _health(health)
    if not overview.labels:
        parts.append('<p class="quiet">No label set was laid over it.</p>' if not overview.problems else "")
    return whole_page(overview.dataset.root, parts)


def _dataset(facts: DatasetFacts) -> Iterator[str]:
    yield f"<h1>{text(facts.root)}</h1>"
    _, same, examples = facts.same_audio
    yield tiles(
        [
            (f"{facts.records:,}", "tracks stored"),
            (f"{facts.hours:,.2f}", "hours stored"),
            (f"{facts.groups:,}", "groups (artists)"),
            (f"{sum(facts.rejects.values()):,}", "rejects"),
            (f"{facts.removed:,}", "removed"),
            (f"{same:,}", "with the audio of another"),
        ]
    )
    if examples:
        named = "; ".join(" and ".join(text(name) for name in ids) for ids in examples)
        yield f'<p class="quiet">The same audio under several ids, such as {named}</p>'
    counts: list[list[Cell]] = [[text(cause), "reject", count] for cause, count in facts.rejects.items()]
    counts += [[text(flag), "stored and flagged", count] for flag, count in facts.flags.items()]
    if counts:
        yield "<h3>Rejects and flags</h3>" + table(("what", "how", "#tracks"), counts)
    yield "<h3>Features</h3>" + table(
        ("features", "meaning", "", "#generations", "#MB"),
        [
            [
                f"<code>{text(one.name)}</code>",
                text(one.words),
                "derived" if one.derived else "",
                one.generations,
                f"{one.bytes / 1e6:,.1f}",
            ]
            for one in facts.features
        ],
    )
    yield "<h3>Generations</h3>" + table(
        ("generation", "#shards", "#tracks", "#stored", "#rejected"),
        [
            [f"gen-{one.generation:03d}", one.shards, one.tracks, one.records or 0, sum((one.rejects or {}).values())]
            for one in facts.generations
        ],
    )
    if facts.under_way is not None:
        yield f'<p class="quiet">{text(facts.under_way)}; what was finished before it is shown</p>'
    if facts.splits:
        yield "<h3>Splits</h3>" + table(
            ("split", "newest version", "made", *(f"#{side}" for side in SPLITS), "#without a side", "#versions"),
            [
                [
                    text(one.name),
                    f"<code>{one.versions[-1]}</code>",
                    text(one.made),
                    *(one.counts[side] for side in SPLITS),
                    one.without_side,
                    len(one.versions),
                ]
                for one in facts.splits
            ],
        )
    if facts.label_sets:
        yield "<h3>Label sets, each version after the one before</h3>" + table(
            ("label set", "version", "", "#tags", "#tracks", "values", "missing is", "split"),
            [
                [
                    text(one.name),
                    f"<code>{each.version}</code>",
                    "newest" if number == len(one.versions) - 1 else "" if each.kept else "pruned",
                    *((each.tags, each.tracks) if each.kept else ("", "")),
                    each.values,
                    each.missing,
                    text(each.split),
                ]
                for one in facts.label_sets
                for number, each in enumerate(one.versions)
            ],
        )


def _health(health: LabelHealth) -> Iterator[str]:
    yield f"<h2>{text(health.reference)}</h2>"
    yield (
        f'<p class="quiet">{len(health.tags):,} tags over the split {text(health.split)}; {health.values}, missing is '
        f"{health.missing}, positive from {health.positive_at:g}</p>"
    )
    found = findings(health)
    yield bullets(found) if found else "<p>Nothing odd was found.</p>"
    yield "<h3>Tracks</h3>" + table(
        ("split", "#tracks", "#unlabelled", "such as"),
        [
            [side, health.tracks[side], health.unlabelled[side], ", ".join(map(text, health.unlabelled_ids[side]))]
            for side in SPLITS
        ],
    )
    if health.not_covered:
        yield f'<p class="quiet">{health.not_covered:,} stored tracks are not listed in this version.</p>'
    yield "<h3>Positives per tag</h3>" + _tags(health)
    yield from _synonyms(health)
    yield from _artists(health)
    yield "<h3>Labels per track</h3>" + _bars(health.labels_per_track_bars)


def _tags(health: LabelHealth) -> str:
    has_unknown = any(sum(tag.unknown.values()) for tag in health.tags)
    graded = health.values == "graded"
    most = max((tag.share for tag in health.tags), default=0.0) or 1.0
    head = [
        "tag",
        *(f"#{side}" for side in SPLITS),
        *["#unknown"] * has_unknown,
        "share",
        *["#artists"] * health.grouped,
    ]
    rows = [
        [
            text(tag.tag),
            *(_zero(tag.positives[side], health.tracks[side]) for side in SPLITS),
            *[sum(tag.unknown.values())] * has_unknown,
            f'<span class="track"><span class="bar" style="width:{100 * tag.share / most:.1f}%"></span></span>'
            f"{tag.share:.2%}",
            *[tag.artists] * health.grouped,
            *[_histogram(tag.histogram or ())] * graded,
        ]
        for tag in health.tags[:_SHOWN]
    ]
    return table([*head, *["values, 0 to 1"] * graded], rows) + _rest(len(health.tags))


def _zero(count: int, tracks: int) -> Cell:
    return '<span class="zero">&nbsp;0&nbsp;</span>' if tracks and not count else count


def _synonyms(health: LabelHealth) -> Iterator[str]:
    pairs = health.synonyms.pairs
    if not pairs:
        return
    yield (
        "<h3>Tags that look like one</h3>"
        + table(
            ("tag", "other tag", "alike by", "#both", "#first only", "#second only", "#Jaccard", "#× chance", ""),
            [
                [
                    *map(text, pair.tags),
                    pair.likeness or "nearly the same tracks",
                    pair.both,
                    *pair.only,
                    f"{pair.jaccard:.2f}",
                    f"{pair.lift:.1f}",
                    "merge" if pair.merge else "",
                ]
                for pair in pairs[:_SHOWN]
            ],
        )
        + _rest(len(pairs))
    )
    if health.synonyms.yaml:
        words = merge_words(health)
        yield f"<p>{text(words[0].upper() + words[1:])}:</p><pre>{text(health.synonyms.yaml)}</pre>"


def _artists(health: LabelHealth) -> Iterator[str]:
    for title, tags in (
        ("Tags of one artist only", health.of_one_artist),
        ("Tags of one artist in every split but one", health.of_one_artist_but_for_one_split),
        ("Tags mostly of one artist", health.mostly_of_one_artist),
    ):
        if tags:
            yield (
                f"<h3>{title}</h3>"
                + table(
                    ("tag", "#positives", "biggest artist", "#its share", *(f"#artists in {side}" for side in SPLITS)),
                    [_artist_row(tag) for tag in tags[:_SHOWN]],
                )
                + _rest(len(tags))
            )


def _artist_row(tag: TagHealth) -> list[Cell]:
    artists = [tag.artists_per_split[side] for side in SPLITS]
    return [text(tag.tag), tag.tracks, text(tag.biggest_artist), f"{tag.biggest_share:.0%}", *artists]


def _histogram(counts: Sequence[int]) -> str:
    most = max(max(counts, default=0), 1)
    bars = "".join(
        f'<rect x="{_BIN_WIDTH * number}" y="{_BIN_HEIGHT - height}" width="{_BIN_WIDTH - 1}" height="{height}">'
        f"<title>{number / BINS:.1f} to {(number + 1) / BINS:.1f}: {count:,}</title></rect>"
        for number, count in enumerate(counts)
        for height in [-(-_BIN_HEIGHT * count // most)]
    )
    return f'<svg class="values" role="img" width="{_BIN_WIDTH * BINS}" height="{_BIN_HEIGHT}">{bars}</svg>'


def _bars(bars: Sequence[tuple[str, int]]) -> str:
    most = max((count for _, count in bars), default=0) or 1
    return table(
        ("#labels", "#tracks", ""),
        [
            [f"{name}", count, f'<span class="bar" style="width:{_BAR_REM * count / most:.2f}rem"></span>']
            for name, count in bars
        ],
    )


def _rest(count: int) -> str:
    return f'<p class="quiet">… and {count - _SHOWN:,} more with --json</p>' if count > _SHOWN else ""
