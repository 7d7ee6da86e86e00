"""The environment that a run was computed in: versions, processor, threads. Another environment rounds differently."""

from __future__ import annotations

import os
import platform
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from schemas.storage.json_object import parse_json_object


def environment() -> dict[str, Any]:
    """Everything that decides the last bits of a training step, apart from its configuration."""
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]
    return {
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "processor": _processor(),
        "threads": _threads(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "").strip().lower() not in ("0", "false"),
        "gpus": details,
    }


def differences(before: bytes, now: dict[str, Any]) -> list[str]:
    """Describe the changes since an environment was recorded as JSON."""
    try:
        earlier = parse_json_object(before)
    except ValueError:
        return ["what it ran on before is not known, since its environment.json is not whole"]
    return [f"{name}: {earlier.get(name)} -> {value}" for name, value in now.items() if earlier.get(name) != value]


def _threads() -> int:
    """Number of threads that TensorFlow divides an operation among; like TensorFlow, it reads 0 or no number as unset."""
    try:
        said = int(os.environ.get("TF_NUM_INTRAOP_THREADS", ""))
    except ValueError:
        said = 0
    return tf.config.threading.get_intra_op_parallelism_threads() or said or len(os.sched_getaffinity(0))


def _processor() -> str:
    """The model of the CPU; kernels are chosen by its instructions."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            fields = dict(line.split(":", 1) for line in file if ":" in line)
    except OSError:
        return platform.processor()
    named = {name.strip(): value.strip() for name, value in fields.items()}
    return (
        f"{named.get('model name', platform.processor())} family {named.get('cpu family')} model {named.get('model')}"
    )
