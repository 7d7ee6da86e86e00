from __future__ import annotations

import numpy as np
import pytest

from pipeline.audio.logmel import logmel_of, stored_logmel
from schemas.features import LogMelSpec
from training.data.records import as_float
from training.serving.logmel import graph_logmel

SPEC = LogMelSpec()


def _signals() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    time = np.arange(40_000) / 16_000
    chord = sum(np.sin(2 * np.pi * frequency * time) for frequency in (110, 440, 1661, 6000)) / 5
    signals = {
        "noise": rng.normal(scale=0.2, size=48_000),
        "chord": chord * np.exp(-time),
        "silence": np.zeros(20_000),
        "full scale": np.sign(np.sin(2 * np.pi * 300 * time)) * 0.999,
        "one sample": np.array([0.5]),
        "no whole hop": rng.normal(scale=0.2, size=16_001),
    }
    return {name: np.clip(signal * 32_768, -32_768, 32_767).astype(np.int16) for name, signal in signals.items()}


@pytest.mark.parametrize("name", list(_signals()))
def test_the_graphs_logmel_is_the_stored_one(name: str) -> None:
    samples = _signals()[name]
    in_graph = graph_logmel(as_float(samples)[None], SPEC).numpy()[0]
    assert in_graph.shape == (SPEC.frames(len(samples)), SPEC.mels)
    assert np.abs(in_graph - logmel_of(samples, SPEC)).max() <= 1e-4
    assert np.abs(in_graph - stored_logmel(samples, SPEC).astype(np.float32)).max() <= 5e-3
