"""The summary of a build says what was done, what was rejected and why, and what to type next."""

from __future__ import annotations

from pipeline.decode.build import BuildSummary
from pipeline.decode.summary import build_report
from schemas.console.shown_commands import pipeline_command

SUMMARY = BuildSummary(
    dataset="data",
    built=(0, 1),
    tracks=1234,
    records=1230,
    rejects={"empty": 1, "not_found": 3},
    examples={"empty": ("a", "no samples"), "not_found": ("b", "no such file")},
    removed=2,
    same_audio=(5, ("a", "c")),
    hours=10.25,
    bytes={"logmel": 440_000_000, "waveform": 1_180_000_000},
    seconds=61.2,
    under_way=None,
)


def test_counts_causes_and_the_next_command_are_shown() -> None:
    assert build_report(SUMMARY).lines() == [
        "built gen-000, gen-001 of data in 61.2 s",
        "  tracks    1,234 of the catalog, 1,230 stored (10.25 h of audio)",
        "  rejects   4",
        "            1 empty, such as a: no samples",
        "            3 not_found, such as b: no such file",
        "  removed   2 rows of the catalog are of tracks that were taken out, and stay out",
        "  same      5 tracks have the audio of another, such as a and c; splits keep them together",
        "  logmel    440.0 MB",
        "  waveform  1,180.0 MB",
        f"next: {pipeline_command()} label --dataset data --annotations FILE --label-set FILE.yaml",
    ]
