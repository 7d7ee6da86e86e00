"""Cost of applying a label set to 1.5 million tracks, compared with reading the annotations and with a plain script.

    python -m benchmarks.labelling

The dataset has a plan and a tracks table of full size, but no payloads: labelling needs none. The label set merges and
excludes tags and has a hierarchy. Like every later version, the second one is compared with its predecessor.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.results import write_results
from benchmarks.synthetic_dataset import write_annotations, write_dataset
from benchmarks.tree_cost import Cost, cost_of

TRACKS, SHARDS, ARTISTS = 1_500_000, 7_500, 200_000
ROWS, TAGS = 12_000_000, 300

_LABEL_SET = """name: big
merge: {some tag 000: [some tag 001, some tag 002]}
exclude: [some tag 003]
hierarchy: {some tag 004: [some tag 005, some tag 006]}
min_tracks: %d
"""


def measure(folder: Path, tracks: int, shards: int, artists: int, rows: int, tags: int) -> dict[str, Cost]:
    """Measures the cost of each row of the table."""
    data, annotations = folder / "data", folder / "annotations.csv"
    write_dataset(data, tracks, shards, artists)
    write_annotations(annotations, tracks, rows, tags)
    label = [sys.executable, "-m", "pipeline.run", "label", "--dataset", str(data), "--annotations", str(annotations)]
    costs = {}
    costs["read the annotations, write them as Parquet"] = cost_of(_workload("copy_table", annotations))
    for name, least in (("label, first version, with its split", 1), ("label, second version", rows // tags // 5)):
        label_set = folder / f"{least}.yaml"
        label_set.write_text(_LABEL_SET % least)
        costs[name] = cost_of([*label, "--label-set", str(label_set)])
    versions = [path.name for path in sorted((data / "labels" / "big").iterdir()) if path.is_dir()]
    pair = [f"big@{version}" for version in versions]
    costs["diff of the two"] = cost_of((sys.executable, "-m", "pipeline.run", "diff", "--dataset", str(data), *pair))
    costs["a plain script (csv, dict, json)"] = cost_of(_workload("usual_labels", annotations))
    return costs


def _workload(name: str, *paths: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.workloads", name, *map(str, paths)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(Path(folder), TRACKS, SHARDS, ARTISTS, ROWS, TAGS)
    print(f"{TRACKS:,} tracks in {SHARDS:,} shards, {ROWS:,} annotations of {TAGS} tags")
    print(f"{'':<45} {'wall':>8} {'CPU':>8} {'peak':>9}")
    for name, cost in costs.items():
        print(f"{name:<45} {cost.wall:>7.1f}s {cost.cpu:>7.1f}s {cost.peak / 1e9:>6.2f} GB")
    floor, first, second, _, usual = costs.values()
    ratios = {"label_to_copy": second.wall / floor.wall, "script_to_label": usual.wall / second.wall}
    print(f"label / copy {ratios['label_to_copy']:.1f}; plain script / label {ratios['script_to_label']:.1f}")
    rows = {name: {"wall": cost.wall, "cpu": cost.cpu, "peak": cost.peak} for name, cost in costs.items()}
    write_results("labelling", {"rows": rows, **ratios, "first": first.wall})


if __name__ == "__main__":
    main()
