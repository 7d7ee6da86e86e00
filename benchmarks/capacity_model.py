"""Simulate the shards of a build on many workers: when each starts, what it takes, what it loses, and what the bucket grants.

An event is a worker that has become free, or a shard that came back from a lost worker. A heap hands out the next one, so a
run costs a few microseconds for each shard.
"""

from __future__ import annotations

import collections
import dataclasses
import heapq
import math
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Assignment = Literal["free", "turns", "hashed"]

_MOST_DOUBLINGS = 10.0  # after which a growing rate stays as it is: a thousand times the first one
_NOBODY = -1


@dataclasses.dataclass(frozen=True)
class Shards:
    """Shards in the order in which they are handed out.

    Attributes:
        seconds: Time that a worker of ordinary speed takes for each, alone with the bucket, [shards].
        reads, writes: Requests to the bucket, [shards].
        bytes: Bytes read from the bucket, [shards].
    """

    seconds: Floats
    reads: Floats
    writes: Floats
    bytes: Floats


@dataclasses.dataclass(frozen=True)
class Fleet:
    """The workers.

    Attributes:
        workers: Number of workers.
        start_seconds: Median time from the job's submission to a worker's first shard.
        start_spread: Standard deviation of the logarithm of that time.
        speed_spread: Standard deviation of the logarithm of a machine's slowness, whose median is 1.
        straggler_share: Share of the machines that are slower by `straggler_factor` on top.
        straggler_factor: See there.
        preemptions_per_hour: Rate at which a busy worker is lost, with the shard in its hands; it starts anew.
        assignment: `free`: a free worker takes the next shard, as on Dataflow; `turns`: each shard belongs to one worker
            from the beginning, whatever the others are doing, and they are dealt in turn, as on Flink; `hashed`: likewise,
            each dealt at random, as Flink deals the keys of a GroupByKey.
    """

    workers: int
    start_seconds: float = 0.0
    start_spread: float = 0.0
    speed_spread: float = 0.0
    straggler_share: float = 0.0
    straggler_factor: float = 1.0
    preemptions_per_hour: float = 0.0
    assignment: Assignment = "free"

    def starts(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw start-up times, [count]."""
        return self.start_seconds * np.exp(self.start_spread * rng.standard_normal(count))

    def slowness(self, rng: np.random.Generator) -> Floats:
        """Draw the time that each machine takes for a second of work, [workers]."""
        ordinary = np.exp(self.speed_spread * rng.standard_normal(self.workers))
        slow = rng.random(self.workers) < self.straggler_share
        return np.where(slow, self.straggler_factor * ordinary, ordinary)

    @property
    def speed(self) -> float:
        """Expected work of all workers together in a second."""
        mean = math.exp(self.speed_spread**2 / 2)  # of one over a log-normal variable
        return self.workers * mean * (1 - self.straggler_share * (1 - 1 / self.straggler_factor))


@dataclasses.dataclass(frozen=True)
class Bucket:
    """What a store grants to all workers together; its rates grow from the first request on.

    Attributes:
        reads_per_second, writes_per_second: Rates of requests at first.
        doubling_seconds: Time in which those rates double; infinite if they stay.
        bytes_per_second: Bytes that are read.
    """

    reads_per_second: float = math.inf
    writes_per_second: float = math.inf
    doubling_seconds: float = math.inf
    bytes_per_second: float = math.inf

    def meters(self) -> tuple[Meter, Meter, Meter]:
        """Meters of reads, writes and bytes."""
        return (
            Meter(self.reads_per_second, self.doubling_seconds),
            Meter(self.writes_per_second, self.doubling_seconds),
            Meter(self.bytes_per_second),
        )


class Meter:
    """A server that passes on requests in their order, at a rate that may grow; what it does not use in time is lost.

    Args:
        rate: Amount per second at time 0.
        doubling: Time in seconds in which the rate doubles, ten times at most.
    """

    def __init__(self, rate: float, doubling: float = math.inf) -> None:
        self._rate, self._doubling = rate, doubling
        self._passed = 0.0  # what would have been passed on by now if it had never been idle
        self._grown = _MOST_DOUBLINGS * doubling
        self._passed_grown = self.passed_by(self._grown) if math.isfinite(self._grown) else math.inf

    @property
    def is_limited(self) -> bool:
        return math.isfinite(self._rate)

    def passed_by(self, time: float) -> float:
        """What it can have passed on by a time."""
        if math.isinf(self._doubling):
            return self._rate * time
        growing = min(time, self._grown)
        scale = self._rate * self._doubling / math.log(2)
        later = self._rate * 2**_MOST_DOUBLINGS * (time - growing)
        return scale * math.expm1(math.log(2) * growing / self._doubling) + later

    def time_of(self, amount: float) -> float:
        """The time by which it can have passed on an amount: the inverse of `passed_by`."""
        if math.isinf(self._doubling):
            return amount / self._rate
        if amount > self._passed_grown:
            return self._grown + (amount - self._passed_grown) / (self._rate * 2**_MOST_DOUBLINGS)
        scale = self._rate * self._doubling / math.log(2)
        return self._doubling / math.log(2) * math.log1p(amount / scale)

    def granted(self, now: float, amount: float) -> float:
        """The time at which an amount that is asked for now has passed, after all that was asked for before."""
        self._passed = max(self._passed, self.passed_by(now)) + amount
        return self.time_of(self._passed)


@dataclasses.dataclass(frozen=True)
class Course:
    """What happened.

    Attributes:
        seconds: Time from the submission until the last shard is written.
        busy_seconds: Time that all workers together spent on shards, lost ones too.
        lost: Number of shards that were lost with their workers and written again.
        ends: Time at which each worker ended its last shard, 0 if it had none, [workers].
    """

    seconds: float
    busy_seconds: float
    lost: int
    ends: Floats


def simulate(shards: Shards, fleet: Fleet, bucket: Bucket | None = None, seed: int = 0) -> Course:
    """Let the workers write all shards.

    Args:
        shards: The shards in the order in which they are handed out.
        fleet: The workers.
        bucket: Limits of the store; none if there is no bucket.
        seed: Seed of all that is drawn; the same seed gives the same course.
    """
    rng = np.random.default_rng(seed)
    slowness = fleet.slowness(rng).tolist()
    left = _Left(len(shards.seconds), fleet, rng)
    lives = _Lives(fleet.preemptions_per_hour, rng)
    limited = [
        (meter, demand.tolist())
        for meter, demand in zip(
            (bucket or Bucket()).meters(), (shards.reads, shards.writes, shards.bytes), strict=True
        )
        if meter.is_limited
    ]
    seconds = shards.seconds.tolist()
    ends = [0.0] * fleet.workers
    busy, lost = 0.0, 0
    idle: list[int] = []
    # Time, worker that is free then, shard that is back then: one of the two is nobody's; the numbers break ties.
    events = [(start, worker, _NOBODY) for worker, start in enumerate(fleet.starts(fleet.workers, rng).tolist())]
    heapq.heapify(events)
    first = events[0][0]  # the time of the first request
    while events:
        now, worker, returned = heapq.heappop(events)
        if returned != _NOBODY:
            left.put_back(worker, returned)
            if fleet.assignment != "free" or not idle:
                continue
            worker = idle.pop()
        shard = left.take(worker)
        if shard == _NOBODY:
            idle.append(worker)
            continue
        end = now + seconds[shard] * slowness[worker]
        for meter, demand in limited:
            end = max(end, first + meter.granted(now - first, demand[shard]))
        lost_at = now + lives.draw()
        if lost_at < end:
            lost += 1
            busy += lost_at - now
            heapq.heappush(events, (lost_at, worker, shard))
            heapq.heappush(events, (lost_at + float(fleet.starts(1, rng)[0]), worker, _NOBODY))
        else:
            busy += end - now
            ends[worker] = end
            heapq.heappush(events, (end, worker, _NOBODY))
    return Course(max(ends, default=0.0), busy, lost, np.array(ends))


class _Left:
    """The shards that nobody has in hand."""

    def __init__(self, count: int, fleet: Fleet, rng: np.random.Generator) -> None:
        if fleet.assignment == "free":
            self._of_worker = None
            self._shared = collections.deque(range(count))
        else:
            in_turn = np.arange(count) % fleet.workers
            owner = in_turn if fleet.assignment == "turns" else rng.integers(fleet.workers, size=count)
            self._of_worker = [collections.deque[int]() for _ in range(fleet.workers)]
            for shard, worker in enumerate(owner.tolist()):
                self._of_worker[worker].append(shard)

    def take(self, worker: int) -> int:
        queue = self._shared if self._of_worker is None else self._of_worker[worker]
        return queue.popleft() if queue else _NOBODY

    def put_back(self, worker: int, shard: int) -> None:
        queue = self._shared if self._of_worker is None else self._of_worker[worker]
        queue.appendleft(shard)


class _Lives:
    """Draws how long a worker lives on, which does not depend on how long it has lived; many at a time."""

    _AT_A_TIME = 1 << 16

    def __init__(self, per_hour: float, rng: np.random.Generator) -> None:
        self._mean = 3600 / per_hour if per_hour else math.inf
        self._rng = rng
        self._drawn: list[float] = []

    def draw(self) -> float:
        if math.isinf(self._mean):
            return math.inf
        if not self._drawn:
            self._drawn = self._rng.exponential(self._mean, self._AT_A_TIME).tolist()
        return self._drawn.pop()


def on_shared_cores(work: Floats, cores: float, use: float = 1.0) -> float:
    """Time until the last of some processes ends that share the cores of one machine evenly.

    Args:
        work: Time that each takes alone, [processes].
        cores: Number of cores.
        use: Cores that a process uses while it runs alone.
    """
    ordered = np.sort(work)
    running = np.arange(len(ordered), 0, -1)
    steps = np.diff(ordered, prepend=0.0)
    return float((steps * np.maximum(1.0, running * use / cores)).sum())
