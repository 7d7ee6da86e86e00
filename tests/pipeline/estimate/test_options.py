"""The options of an estimate: the error for a wrong value names its option."""

from __future__ import annotations

import pytest

from pipeline.estimate.options import EstimateOptions, Prices, parse_workers
from schemas.console.errors import UserError


def test_worker_counts_are_read_in_order_and_once() -> None:
    assert parse_workers("64, 1,8,8") == (1, 8, 64)


@pytest.mark.parametrize("text", ["", "0,2", "-1", "two", "1;2", "1.5", "4,"])
def test_invalid_worker_counts_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--workers: expected whole numbers of at least 1"):
        parse_workers(text)


@pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
def test_a_wrong_number_is_refused_by_the_name_of_its_option(value: float) -> None:
    for name in ("vcpu_hour", "memory_gb_hour", "storage_gb_month"):
        with pytest.raises(UserError, match=f"--price-{name.replace('_', '-')}: expected a price of at least 0"):
            Prices(**{name: value})
    with pytest.raises(UserError, match="--memory-gb: expected more than 0"):
        EstimateOptions(memory_gb=value)
    with pytest.raises(UserError, match="--sample: expected at least 2, received 1"):
        EstimateOptions(sample=1)
