"""How a split is made: by hash with its shares, stratified, or from the catalog."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from schemas.console.errors import UserError

DEFAULT_RATIOS = (80.0, 10.0, 10.0)  # train, validation, test


@dataclasses.dataclass(frozen=True)
class SplitMethod:
    """The method of a split, which also extends it when the dataset grows.

    Attributes:
        ratios: Shares of train, validation and test; None to use the catalog's split column.
        salt: Text that changes which groups fall where; without it the cut follows the shards as far as the shares allow, so
            that training reads little that it does not need.
        stratified: SHA-256 of the annotation files whose tags were spread over the sides when the split was made; tracks
            added later are assigned as in any other split.
    """

    ratios: tuple[float, float, float] | None = DEFAULT_RATIOS
    salt: str = ""
    stratified: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.ratios is not None and not (
            len(self.ratios) == 3
            and all(0 <= share < math.inf for share in self.ratios)
            and 0 < sum(self.ratios) < math.inf
        ):
            raise UserError(f"--ratios: expected three shares such as 80,10,10, received {self.ratios}")
        if self.ratios is None and (self.salt or self.stratified):
            raise UserError("--from-catalog: expected without --ratios, --salt and --stratify, received both")

    def to_dict(self) -> dict[str, Any]:
        if self.ratios is None:
            return {"method": "catalog"}
        fields = {"method": "hash", "ratios": list(self.ratios), "salt": self.salt}
        return {**fields, "method": "stratified", "stratified": list(self.stratified)} if self.stratified else fields

    @property
    def words(self) -> str:
        """A description of the method."""
        if self.ratios is None:
            return "from the catalog"
        how = "stratified" if self.stratified else "by hash"
        ratios = ",".join(f"{share:g}" for share in self.ratios)
        return f"{how}, ratios {ratios}{f', salt {self.salt}' if self.salt else ''}"

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> SplitMethod:
        if fields["method"] == "catalog":
            return cls(ratios=None)
        train, validation, test = fields["ratios"]
        return cls((train, validation, test), fields["salt"], tuple(fields.get("stratified", ())))


def parse_ratios(text: str) -> tuple[float, float, float]:
    """`80,10,10` as shares; raises UserError."""
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"--ratios: expected three numbers such as 80,10,10, received {text!r}") from error
    return train, validation, test
