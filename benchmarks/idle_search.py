"""Memory of a process that has opened an index with its graphs and has searched nothing yet, as JSON in bytes.

python -m benchmarks.idle_search TAGS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pipeline.search.graph_files import open_graphs
from pipeline.search.index import open_index
from schemas.tags import Tags


def main() -> None:
    tags = Tags.open(sys.argv[1])
    with open_index(tags) as index:
        graphs = open_graphs(tags, index)
        if graphs is None:
            sys.exit("expected graphs, see the line above")
        lines = Path("/proc/self/status").read_text().splitlines()
    sizes = {name: int(size.split()[0]) << 10 for name, size in (line.split(":") for line in lines if "kB" in line)}
    print(json.dumps({"idle": sizes["VmRSS"], "peak": sizes["VmHWM"]}))


if __name__ == "__main__":
    main()
