"""A runner that waits for a dead worker is woken, and nothing else changes."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import pytest

from pipeline.jobs.lost_workers import WorkerLostError, ended_by_lost_worker


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the threads whose failure reached the hook that was installed before."""
    seen: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda failed: seen.append(failed.thread.name))
    return seen


def fail(name: str) -> threading.Thread:
    def failing() -> None:
        raise RuntimeError("exited with return code -9")

    thread = threading.Thread(target=failing, name=name)
    thread.start()
    return thread


def waiting_for_ever() -> None:
    forbidden = threading.Lock()
    forbidden.acquire()
    assert forbidden.acquire(timeout=30)


def test_a_body_that_waits_for_ever_is_ended_when_a_worker_is_lost(failures: list[str]) -> None:
    timer = threading.Timer(0.2, fail, ("run_worker",))
    timer.start()
    with pytest.raises(WorkerLostError, match="a worker process was killed"), ended_by_lost_worker():
        waiting_for_ever()
    timer.join()
    assert failures == []


def test_two_lost_workers_are_one_error(failures: list[str]) -> None:
    with pytest.raises(WorkerLostError), ended_by_lost_worker():
        threads = [fail("run_worker"), fail("beam_control_read"), fail("run_worker")]
        for thread in threads:
            thread.join()
        waiting_for_ever()
    assert failures == []


def test_the_failure_of_any_other_thread_is_reported_as_before(failures: list[str]) -> None:
    with ended_by_lost_worker():
        fail("mine").join()
    assert failures == ["mine"]


def test_hook_and_signal_are_put_back(failures: list[str]) -> None:
    hook, handler = threading.excepthook, signal.getsignal(signal.SIGUSR1)
    with ended_by_lost_worker():
        assert signal.getsignal(signal.SIGUSR1) is not handler
    assert (threading.excepthook, signal.getsignal(signal.SIGUSR1)) == (hook, handler)


def test_outside_the_main_thread_it_does_nothing(failures: list[str]) -> None:
    def body(done: Callable[[], None]) -> None:
        with ended_by_lost_worker():
            fail("run_worker").join()
            done()

    done = threading.Event()
    thread = threading.Thread(target=body, args=(done.set,))
    thread.start()
    thread.join()
    assert done.is_set()
    assert failures == ["run_worker"]
