"""Write removed.parquet, by which readers of a dataset or of tags skip tracks."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from schemas.layout import Layout
from schemas.storage.files import write_atomic
from schemas.storage.stored_tables import table_bytes
from schemas.tables import REMOVED


def write_tombstones(layout: Layout, before: pa.Table, ids: pa.Array, *, purged: bool) -> None:
    """Add tombstones, or mark existing ones as purged.

    Args:
        layout: Paths of the dataset or the tags.
        before: Their tombstones.
        ids: Ids of the tracks.
        purged: Whether their records are erased.
    """
    kept = before.filter(pc.invert(pc.is_in(before["track_id"], value_set=ids)))
    added = pa.table({"track_id": ids, "purged": pa.array([purged] * len(ids), pa.bool_())}, schema=REMOVED)
    table = pa.concat_tables([kept, added]).sort_by("track_id").combine_chunks()
    if not table.equals(before):
        write_atomic(layout.removed, table_bytes(table))
