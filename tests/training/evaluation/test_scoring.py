"""A model scores whole tracks on one device and on several."""

from __future__ import annotations

import json

from tests.warm_commands import run_warm

ON_TWO_DEVICES = """
import json, types
import keras, numpy as np, tensorflow as tf
from training.evaluation.scoring import TrackScorer

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
seen = set()

class Recording(keras.layers.Layer):
    def call(self, patches):
        context = tf.distribute.get_replica_context()
        if context is not None and patches.shape[0] is not None:
            (device,) = tf.nest.flatten(context.devices)
            seen.add((device[-5:], patches.shape[0]))
        return patches

def tagger():
    inputs = keras.Input((10, 2))
    pooled = keras.layers.GlobalAveragePooling1D()(Recording()(inputs))
    return keras.Model(inputs, {"logits": keras.layers.Dense(3, kernel_initializer="ones")(pooled)})

rng = np.random.default_rng(0)
tracks = [rng.normal(size=(int(length), 2)).astype(np.float16) for length in rng.integers(10, 60, 13)]
records = types.SimpleNamespace(tracks=tracks, read=lambda number: tracks[number])
alone = TrackScorer(tagger(), 10, 4).scores(records)
seen.clear()
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    model = tagger()
seen.clear()
shared = TrackScorer(model, 10, 4, strategy=strategy).scores(records)
print(json.dumps({"seen": sorted(seen), "apart": float(np.abs(alone - shared).max()), "spread": float(np.ptp(alone))}))
"""


def test_the_devices_of_a_process_score_side_by_side_and_as_one_does() -> None:
    ended = run_warm(["-c", ON_TWO_DEVICES], check=True)
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["seen"] == [["CPU:0", 4], ["CPU:1", 4]]
    assert found["apart"] < 1e-6
    assert found["spread"] > 0.1
