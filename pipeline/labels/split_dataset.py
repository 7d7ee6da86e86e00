"""Make a split of a dataset given its folder, for the command `split` and for notebooks."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.labels.annotations import read_annotations
from pipeline.labels.split_method import DEFAULT_RATIOS, SplitMethod
from pipeline.labels.splits import Split, make_split
from schemas.console.errors import UserError
from schemas.dataset import Dataset


def split_dataset(
    root: str,
    name: str,
    ratios: tuple[float, float, float] | None = None,
    *,
    salt: str = "",
    from_catalog: bool = False,
    stratify: str | Sequence[str] = (),
) -> Split:
    """Make a split of a dataset, or extend one to tracks added since. A group (artist) is never divided.

    >>> from pipeline import split_dataset
    >>> split = split_dataset("data", "half", (50, 25, 25))
    >>> split.counts["train"] + split.counts["validation"] + split.counts["test"], split.counts["none"]
    (36, 0)

    Args:
        root: Folder of the dataset.
        name: Name of the split.
        ratios: Shares of train, validation and test; None for 80, 10, 10.
        salt: Text that changes which groups fall on which side.
        from_catalog: Use the catalog's `split` column instead.
        stratify: Annotation files; each side gets its share of every tag in them.

    Returns:
        The split, with its `counts` by side, its `table` of track_id and split (pyarrow), and its `version`.

    Raises:
        UserError: there is no such dataset, the arguments contradict each other, the split was made differently before,
            or there are fewer groups than sides.
    """
    if from_catalog and ratios:
        raise UserError("--from-catalog: expected without --ratios, --salt and --stratify, received both")
    annotations = read_annotations(stratify) if stratify else None
    shares = None if from_catalog else ratios or DEFAULT_RATIOS
    method = SplitMethod(shares, salt, () if annotations is None else annotations.sha256)
    return make_split(Dataset.open(root), name, method, annotations)
