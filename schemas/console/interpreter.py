"""Whether this Python can run the commands, and what to type where it cannot.

An entry point asks before it imports anything else. This file, and an entry point up to that line, need no other package
and are understood by every Python since 3.6: so without `from __future__ import annotations`, which is of 3.7.
"""

import importlib.util
import os
import shlex
import sys
from types import TracebackType

OLDEST = (3, 11)

# The modules of what the base install depends on.
PACKAGES = (
    "apache_beam",
    "av",
    "click",
    "fsspec",
    "gcsfs",
    "google.protobuf",
    "google_crc32c",
    "jinja2",
    "msgspec",
    "numpy",
    "pyarrow",
    "rich",
    "scipy",
    "soundfile",
    "soxr",
    "yaml",
)

# Modules that some commands need -> the extra that they come with.
EXTRAS = {
    "ai_edge_litert": "export",
    "duckdb": "compare",
    "fastapi": "listen",
    "jax": "dev",
    "keras": "train",
    "librosa": "plots",
    "matplotlib": "train",
    "onnx": "export",
    "onnxruntime": "onnx",
    "pretty_midi": "corpus",
    "python_multipart": "listen",
    "sklearn": "train",
    "tensorboard": "train",
    "tensorflow": "train",
    "tensorflow_io": "tfio",
    "tf2onnx": "export",
    "threadpoolctl": "train",
    "tinysoundfont": "corpus",
    "usearch": "search",
    "uvicorn": "listen",
}

# From this Python on tinysoundfont has no wheel, and an environment is made without it where there is no C++ compiler.
RENDERER_IS_BUILT = (3, 13)

# Extra -> its environment in a checkout and the target that makes it; the others are all in .venv.
_ENVIRONMENTS = {"tfio": (".venv-tfio", "venv-tfio")}
_EVERYTHING = (".venv", "venv")


def require_python() -> None:
    """Leave with exit code 2 and one line, unless this Python is new enough to understand the other files."""
    words = _words_of_old_python()
    if words:
        _leave(words)


def require_packages(*extras: str, without: "tuple[str, ...]" = ()) -> None:
    """Leave with exit code 2 and one line, unless this Python is new enough and has the packages.

    Args:
        extras: what is needed beside the base install.
        without: modules of the base install that are not needed.
    """
    require_python()
    words = _words_of_missing(extras, without)
    if words:
        _leave(words)


def explain_missing_packages() -> None:
    """Let a program whose packages are not known beforehand leave like that when an import fails."""

    def explain(kind: "type[BaseException]", error: BaseException, trace: "TracebackType | None") -> None:
        words = missing_words(error.name or "") if isinstance(error, ModuleNotFoundError) else ""
        if words:
            _leave(words)
        sys.__excepthook__(kind, error, trace)

    require_python()
    sys.excepthook = explain


def missing_words(module: str) -> str:
    """What to do about a module that could not be imported; nothing where it is none that these packages ask for.

    Args:
        module: its dotted name.
    """
    top = module.split(".")[0]
    if top in EXTRAS:
        return f"{top} is not installed for {sys.executable}; {install_advice(EXTRAS[top])}"
    if top in (name.split(".")[0] for name in PACKAGES):
        return f"{top} is not installed for {sys.executable}; {install_advice()}"
    return ""


def install_advice(extra: str = "") -> str:
    """What to type to have an extra, or the base install: an environment of the checkout, or pip.

    No index has these packages, so they are installed out of a checkout.
    """
    root = checkout()
    if not root:
        return f"install it from a checkout of tagscale: {_pip(extra)}"
    is_here = os.path.realpath(os.getcwd()) == os.path.realpath(root)
    pip = _pip(extra) if is_here else f"cd {shlex.quote(root)} && {_pip(extra)}"
    return f"{environment_advice(extra)}; or install it: {pip}"


def environment_advice(extra: str = "") -> str:
    """What to type to get into the checkout's environment that has an extra: activate it, or make it first."""
    root = checkout()
    folder, target = _ENVIRONMENTS.get(extra, _EVERYTHING)
    place = os.path.join(root, folder)
    is_here = os.path.realpath(os.getcwd()) == os.path.realpath(root)
    shown = folder if is_here else shlex.quote(place)
    into_root = "" if is_here else f"cd {shlex.quote(root)} && "
    if os.path.realpath(sys.prefix) == os.path.realpath(place):
        if extra == "corpus" and sys.version_info >= RENDERER_IS_BUILT:
            return f"add it to this environment: {into_root}make renderer"
        return f"make this environment anew: {into_root}rm -r {folder} && make {target}"
    if os.path.exists(os.path.join(place, "bin", "python")):
        return f"activate the environment: source {shown}/bin/activate"
    return f"make the environment and activate it: {into_root}make {target} && source {folder}/bin/activate"


def _pip(extra: str) -> str:
    if extra == "train":
        return "pip install '.[train]', or '.[train-cpu]' without a GPU"
    if extra == "corpus":  # tinysoundfont asks for pyaudio, which it needs only to play live
        return "pip install '.[corpus]' && pip install --no-deps tinysoundfont"
    if extra == "tfio":
        return "pip install '.[tfio]' in an environment of its own"
    return f"pip install '.[{extra}]'" if extra else "pip install ."


def checkout() -> str:
    """The folder of the checkout that this file lies in; nothing where the packages are installed elsewhere."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    is_checkout = all(os.path.exists(os.path.join(root, name)) for name in ("Makefile", "pyproject.toml"))
    return root if is_checkout else ""


def _leave(words: str) -> None:
    sys.stderr.write("error: " + words + "\n")
    sys.exit(2)


def _words_of_old_python() -> str:
    if sys.version_info >= OLDEST:
        return ""
    found, oldest = (".".join(map(str, version)) for version in (sys.version_info[:3], OLDEST))
    advice = environment_advice() if checkout() else "start it with a newer one"
    return f"expected Python {oldest} or newer, received {found} ({sys.executable}); {advice}"


def _words_of_missing(extras: "tuple[str, ...]", without: "tuple[str, ...]") -> str:
    wanted = PACKAGES + tuple(name for name, extra in EXTRAS.items() if extra in extras)
    missing = [name for name in wanted if name not in without and not _is_installed(name)]
    if not missing:
        return ""
    if len(missing) == 1:
        return missing_words(missing[0])
    extra = next((EXTRAS[name] for name in missing if name in EXTRAS), "")
    several = f"{', '.join(missing[:3])}{f' and {len(missing) - 3} more' if len(missing) > 3 else ''}"
    return f"{several} are not installed for {sys.executable}; {install_advice(extra).replace('install it', 'install them')}"


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # the package above it is missing, or is no longer what it was
        return False
