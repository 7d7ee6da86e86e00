"""The simulation of `benchmarks.capacity` against closed forms, all schedules of small jobs, and stepping through time."""

from __future__ import annotations

import itertools
import math
from collections import deque

import numpy as np
import pytest

from benchmarks.capacity_model import Bucket, Fleet, Meter, Shards, on_shared_cores, simulate


def _shards(seconds: np.ndarray, *, demand: float = 0.0) -> Shards:
    """Shards in descending order, each of which asks for the same amount of everything."""
    each = np.full(len(seconds), demand)
    return Shards(np.sort(np.asarray(seconds, np.float64))[::-1], each, each, each)


def _stepped(seconds: list[int], workers: int, start: int, demand: int = 0, rate: int = 0) -> list[int]:
    """Ends of the workers' last shards, second by second: the store serves the requests in the order of their arrival."""
    waiting, asked = deque(seconds), deque[list[int]]()
    ends, own, owed = [0] * workers, [0] * workers, [[0] for _ in range(workers)]
    now = start
    while waiting or any(own) or asked:
        for worker in range(workers):
            if own[worker] == 0 and owed[worker][0] == 0 and waiting:
                own[worker], owed[worker] = waiting.popleft(), [demand]
                if demand:
                    asked.append(owed[worker])
        left = rate
        while left and asked:
            served = min(left, asked[0][0])
            asked[0][0] -= served
            left -= served
            if not asked[0][0]:
                asked.popleft()
        now += 1
        for worker in range(workers):
            if own[worker] or owed[worker][0] or ends[worker] == -1:
                own[worker] = max(0, own[worker] - 1)
                ends[worker] = -1 if own[worker] or owed[worker][0] else now
            elif not waiting and not asked:
                ends[worker] = ends[worker] or 0
    return ends


def test_one_worker_takes_the_sum_and_enough_workers_the_longest() -> None:
    seconds = np.random.default_rng(0).uniform(1, 9, 50)
    assert simulate(_shards(seconds), Fleet(1, start_seconds=7)).seconds == pytest.approx(7 + seconds.sum())
    assert simulate(_shards(seconds), Fleet(60, start_seconds=7)).seconds == pytest.approx(7 + seconds.max())


@pytest.mark.parametrize("seed", range(8))
def test_no_schedule_of_a_small_job_is_much_shorter(seed: int) -> None:
    """Graham's bound: handing out the longest first takes at most 4/3 - 1/(3 m) times the shortest schedule."""
    seconds, workers = np.random.default_rng(seed).uniform(1, 9, 8), 3
    best = min(
        max(seconds[np.array(owners) == worker].sum() for worker in range(workers))
        for owners in itertools.product(range(workers), repeat=len(seconds))
    )
    found = simulate(_shards(seconds), Fleet(workers)).seconds
    assert best - 1e-9 <= found <= (4 / 3 - 1 / (3 * workers)) * best


@pytest.mark.parametrize("workers", [1, 3, 7])
def test_every_worker_ends_when_stepping_through_time_says(workers: int) -> None:
    seconds = np.sort(np.random.default_rng(workers).integers(1, 30, 40))[::-1]
    found = simulate(_shards(seconds), Fleet(workers, start_seconds=11))
    assert sorted(found.ends.tolist()) == sorted(_stepped(seconds.tolist(), workers, 11))
    assert found.busy_seconds == seconds.sum()


@pytest.mark.parametrize("rate", [2, 3, 50])
def test_a_store_that_limits_the_job_does_so_as_stepping_through_time_says(rate: int) -> None:
    seconds = np.sort(np.random.default_rng(rate).integers(1, 9, 60))[::-1]
    stepped = max(_stepped(seconds.tolist(), 5, 0, demand=6, rate=rate))
    found = simulate(_shards(seconds, demand=6), Fleet(5), Bucket(bytes_per_second=rate)).seconds
    assert found == pytest.approx(stepped, rel=0.02)  # steps round the store's answers up to whole seconds
    assert found >= max(60 * 6 / rate, seconds.sum() / 5)


def test_lost_workers_cost_what_renewal_theory_says() -> None:
    """A shard that takes s is through after (exp(r s) - 1) (1 / r + restart) on average, if workers are lost at rate r."""
    length, rate, restart, count = 1800.0, 1 / 3600, 300.0, 4_000
    found = simulate(
        _shards(np.full(count, length)), Fleet(1, start_seconds=restart, preemptions_per_hour=3600 * rate), seed=1
    )
    expected = math.expm1(rate * length) * (1 / rate + restart)
    assert (found.seconds - restart) / count == pytest.approx(expected, rel=0.04)
    assert found.lost / count == pytest.approx(math.expm1(rate * length), rel=0.06)


def test_a_shard_that_is_lost_at_the_end_is_written_by_a_worker_that_waits() -> None:
    fleet = Fleet(20, start_seconds=1e6, preemptions_per_hour=0.3)
    found = simulate(_shards(np.full(10, 3600.0)), fleet, seed=3)
    assert found.lost > 0
    assert found.seconds < 1e6 + 24 * 3600  # the lost workers themselves would be back after eleven days


def test_shards_that_are_dealt_by_hash_end_with_the_worker_that_got_most() -> None:
    shards, fleet = _shards(np.ones(500)), Fleet(50, assignment="hashed")
    found = [simulate(shards, fleet, seed=seed).seconds for seed in range(40)]
    most = np.random.default_rng(9).multinomial(500, np.full(50, 1 / 50), size=4_000).max(axis=1)
    assert np.mean(found) == pytest.approx(most.mean(), rel=0.05)
    assert simulate(shards, Fleet(50)).seconds == 10


def test_shards_that_are_dealt_in_turn_are_worth_a_round_more_at_most() -> None:
    seconds = np.sort(np.random.default_rng(5).uniform(1, 9, 503))[::-1]
    found = simulate(_shards(seconds), Fleet(50, assignment="turns"))
    assert found.seconds == pytest.approx(max(seconds[worker::50].sum() for worker in range(50)))
    assert found.seconds <= seconds.sum() / 50 + seconds[0]
    assert found.ends.min() >= found.seconds - seconds[0]


def test_machines_work_at_the_speeds_that_were_drawn() -> None:
    fleet = Fleet(2_000, speed_spread=0.3, straggler_share=0.1, straggler_factor=3.0)
    slowness = fleet.slowness(np.random.default_rng(0))
    assert np.median(slowness) == pytest.approx(1, abs=0.06)
    assert (1 / slowness).sum() == pytest.approx(fleet.speed, rel=0.03)
    found = simulate(_shards(np.ones(200_000)), fleet)
    assert found.seconds == pytest.approx(200_000 / fleet.speed, rel=0.06)


def test_the_same_seed_gives_the_same_course_and_another_seed_another() -> None:
    shards = _shards(np.random.default_rng(1).uniform(1, 9, 300))
    fleet = Fleet(20, 60, 0.3, 0.1, 0.1, 2.0, 30.0)
    courses = [simulate(shards, fleet, Bucket(5, 5, 100, 1e3), seed=seed) for seed in (4, 4, 5)]
    assert courses[0].ends.tolist() == courses[1].ends.tolist() != courses[2].ends.tolist()


@pytest.mark.parametrize("doubling", [math.inf, 40.0])
def test_a_meter_passes_on_the_integral_of_its_rate(doubling: float) -> None:
    meter = Meter(3.0, doubling)
    times = np.linspace(0, 900, 900_001)  # ten doublings end after 400
    rates = 3.0 * 2 ** np.minimum(times / doubling, 10)
    passed = np.concatenate([[0.0], np.cumsum((rates[1:] + rates[:-1]) / 2 * np.diff(times))])
    for place in (1_000, 350_000, 650_000, 900_000):
        assert meter.passed_by(times[place]) == pytest.approx(passed[place], rel=1e-6)
        assert meter.time_of(passed[place]) == pytest.approx(times[place], rel=1e-6)


def test_an_idle_meter_saves_nothing_for_later() -> None:
    meter = Meter(2.0)
    assert meter.granted(100.0, 10.0) == 105.0
    assert meter.granted(101.0, 10.0) == 110.0


@pytest.mark.parametrize(("cores", "use"), [(1, 1.0), (2, 1.0), (2, 1.3), (8, 1.0)])
def test_processes_share_cores_as_stepping_through_time_says(cores: int, use: float) -> None:
    work = np.array([3.0, 5.0, 5.0, 9.0])
    left, now, step = work.copy(), 0.0, 1e-3
    while (left > 1e-9).any():
        running = int((left > 1e-9).sum())
        left -= step * min(1.0, cores / (running * use)) * (left > 1e-9)
        now += step
    assert on_shared_cores(work, cores, use) == pytest.approx(now, rel=2e-3)
