"""The page's application in this process, with a small model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from fastapi import FastAPI

from training.listen.app import make_app
from training.listen.heard import Listener
from training.serving.saved_model import SavedModel

RATE = 22_050
HOST = "http://127.0.0.1:8000"

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def compiled(graphs: None) -> None:
    """Compiles graphs in each test of this folder, as commands do."""


@pytest.fixture(scope="session")
def listener(small_model: Path) -> Listener:
    return Listener(SavedModel(str(small_model)))


@pytest.fixture
def app(listener: Listener, small_model: Path) -> FastAPI:
    """The application without a search."""
    return make_app(listener, str(small_model))


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Four seconds of stereo noise whose loudness changes."""
    sound = np.random.default_rng(0).normal(scale=0.1, size=(4 * RATE, 2)) * np.linspace(0, 1, 4 * RATE)[:, np.newaxis]
    soundfile.write(tmp_path / "söng.ogg", sound, RATE)
    return tmp_path / "söng.ogg"


def ask(app: FastAPI, work: Callable[[httpx.AsyncClient], Awaitable[Any]], base_url: str = HOST) -> Any:
    """What a coroutine returns that asks an application."""

    async def asked() -> Any:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url, timeout=120) as client:
            return await work(client)

    return asyncio.run(asked())


def upload(path: Path) -> dict[str, tuple[str, bytes]]:
    return {"song": (path.name, path.read_bytes())}
