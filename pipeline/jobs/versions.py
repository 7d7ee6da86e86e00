"""The library versions and CPU type with which a generation was planned."""

from __future__ import annotations

import importlib.metadata
import platform

import soundfile

from schemas.console.errors import UserError

# Packages whose code determines the bytes of a shard. Beam and Arrow move the bytes but do not change them.
_PACKAGES = ("av", "numpy", "protobuf", "scipy", "soundfile", "soxr")


def feature_versions(decoder: str) -> dict[str, str]:
    """Name -> version of everything that determines the bytes of a shard.

    Decoders and BLAS choose their kernels by CPU type, so that is included. `tagscale` itself is not: the fingerprint covers
    its definition of the features.
    """
    packages = (*_PACKAGES, "tensorflow-io") if decoder == "tfio" else _PACKAGES
    versions = {name: importlib.metadata.version(name) for name in packages}
    versions["libsndfile"] = soundfile.__libsndfile_version__
    versions["decoder"] = decoder
    versions["cpu"] = cpu_type()
    return dict(sorted(versions.items()))


def logmel_versions() -> dict[str, str]:
    """The same for log-mel features computed from stored waveforms."""
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "protobuf", "scipy")}
    return {**versions, "cpu": cpu_type()}


def check_versions(what: str, begun: dict[str, str], here: dict[str, str], *, allow_others: bool) -> None:
    """Raise UserError if work would continue with other versions than those with which it was started.

    Args:
        what: Dataset and generation, for the error.
        begun: Versions with which it was started.
        here: Versions of this environment.
        allow_others: True if the user allows other versions.
    """
    if begun == here or allow_others:
        return
    differences = ", ".join(
        f"{name} {begun.get(name, 'absent')} -> {here.get(name, 'absent')}"
        for name in sorted({*begun, *here})
        if begun.get(name) != here.get(name)
    )
    raise UserError(
        f"{what} was begun with other versions ({differences}), so its shards would not agree to the last bit; continue with "
        "those, or pass --allow-other-versions"
    )


def cpu_type() -> str:
    """Machine and the vector extensions by which numeric kernels are chosen, such as `x86_64 avx2 avx512f`."""
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith(("flags", "Features"))), "").split()
    except OSError:
        flags = []
    return " ".join([platform.machine(), *(flag for flag in wanted if flag in flags)])
