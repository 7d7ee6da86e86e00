"""The jars of an engine, from Maven, each held to the hash in the engine's lock.

python -m tests.engines.jars flink      writes the lock anew
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FETCH_SECONDS = 300


class EngineMissingError(Exception):
    """The engine cannot be had here; the words say why."""


def classpath(engine: str) -> str:
    """Java's class path of an engine; Maven fetches what its local repository lacks.

    Raises:
        EngineMissingError: there is no Java, no Maven, or Maven cannot fetch it.
        RuntimeError: a jar is not the one in the lock.
    """
    jars = _fetched(engine)
    locked = dict(line.split(maxsplit=1)[::-1] for line in _lock(engine).read_text().splitlines())
    found = {jar.name: jar for jar in jars}
    if set(found) != set(locked):
        raise RuntimeError(f"{engine}: expected the jars of its lock, received {sorted(set(found) ^ set(locked))}")
    wrong = [name for name, jar in found.items() if _sha256(jar) != locked[name]]
    if wrong:
        raise RuntimeError(f"{engine}: these jars are not those of its lock: {wrong}")
    return os.pathsep.join(map(str, jars))


def _fetched(engine: str) -> list[Path]:
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise EngineMissingError(f"{engine} needs {program}, which is not installed")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "classpath")
        words = [
            "mvn",
            "-q",
            "-B",
            "-f",
            HERE / engine / "pom.xml",
            "dependency:build-classpath",
            f"-Dmdep.outputFile={out}",
        ]
        try:
            subprocess.run([str(word) for word in words], check=True, capture_output=True, timeout=FETCH_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise EngineMissingError(f"{engine}: Maven cannot fetch it: {error.stdout or b''!r:.300}") from error
        return [Path(jar) for jar in out.read_text().strip().split(os.pathsep)]


def _lock(engine: str) -> Path:
    return HERE / engine / "jars.sha256"


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Write the lock of an engine."""
    (engine,) = sys.argv[1:]
    lines = sorted(f"{_sha256(jar)}  {jar.name}" for jar in _fetched(engine))
    _lock(engine).write_text("".join(f"{line}\n" for line in sorted(lines, key=lambda line: line.split()[1])))


if __name__ == "__main__":
    main()
