"""The files of the musicnn package that its models need, from its wheel or from a folder; none of its code is run."""

from __future__ import annotations

import ast
import dataclasses
import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from schemas.console.errors import UserError
from schemas.storage.files import exists, is_folder, join, read_bytes

INDEX_NAME, DATA_NAME = ".index", ".data-00000-of-00001"  # of a checkpoint whose prefix is its folder
CONFIGURATION = "configuration.py"
ADVICE = "get it with `pip download --no-deps musicnn==0.1.0`"


@dataclasses.dataclass(frozen=True)
class PackageFiles:
    """What a package holds of one model.

    Attributes:
        where: the wheel or folder, and the model's folder in it, for errors.
        index: index of the checkpoint.
        data: data of the checkpoint.
        tags: tags in output order.
    """

    where: str
    index: bytes
    data: bytes
    tags: tuple[str, ...]


def read_package(source: str, model: str, tags: str) -> PackageFiles:
    """Read the files of a model.

    Args:
        source: the wheel; or a folder: an unpacked wheel, the folder that a package was installed in, or the package's own.
        model: name of the model's folder.
        tags: name of its list of tags.

    Raises:
        UserError: there is no such wheel or folder, it is damaged, or it lacks one of the files.
    """
    read = _of_folder(source) if is_folder(source) else _of_wheel(source)
    where = f"{source}: {model}"
    return PackageFiles(
        where,
        read(f"{model}/{INDEX_NAME}"),
        read(f"{model}/{DATA_NAME}"),
        _tags(read(CONFIGURATION), tags, source),
    )


def _of_folder(source: str) -> Callable[[str], bytes]:
    root = next((root for root in (join(source, "musicnn"), source) if exists(join(root, CONFIGURATION))), None)
    if root is None:
        raise UserError(
            f"--from {source}: expected the musicnn package, found a folder without musicnn/{CONFIGURATION}; {ADVICE}"
        )

    def read(name: str) -> bytes:
        try:
            return read_bytes(join(root, name))
        except OSError as error:
            raise UserError(
                f"--from {source}: expected the file {name}, which cannot be read: {error}; {ADVICE}"
            ) from error

    return read


def _of_wheel(source: str) -> Callable[[str], bytes]:
    if not exists(source):
        raise UserError(f"--from {source}: expected the wheel of musicnn or a folder, found neither; {ADVICE}")
    try:
        wheel = zipfile.ZipFile(io.BytesIO(read_bytes(source)))
    except OSError as error:
        raise UserError(f"--from {source}: cannot be read: {error}; {ADVICE}") from error
    except zipfile.BadZipFile as error:
        raise UserError(f"--from {source}: expected a whole wheel, which is a zip file: {error}; {ADVICE}") from error

    def read(name: str) -> bytes:
        try:
            return wheel.read(f"musicnn/{name}")
        except KeyError as error:
            raise UserError(
                f"--from {source}: expected the wheel of musicnn, found one without musicnn/{name}; {ADVICE}"
            ) from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise UserError(f"--from {source}: expected a whole wheel: musicnn/{name}: {error}; {ADVICE}") from error

    return read


def _tags(configuration: bytes, name: str, source: str) -> tuple[str, ...]:
    """A list of strings that a Python file assigns to a name, without running the file."""
    try:
        nodes = ast.parse(configuration.decode()).body
        assigned = (node for node in nodes if isinstance(node, ast.Assign))
        values = [
            ast.literal_eval(node.value)
            for node in assigned
            for target in node.targets
            if isinstance(target, ast.Name) and target.id == name
        ]
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UserError(
            f"--from {source}: {CONFIGURATION}: expected Python: {' '.join(str(error).split())}; {ADVICE}"
        ) from error
    tags: Any = values[-1] if values else []
    is_list = isinstance(tags, list) and all(isinstance(tag, str) and tag and "\n" not in tag for tag in tags)
    if not is_list or not tags or len(set(tags)) < len(tags):
        raise UserError(
            f"--from {source}: {CONFIGURATION}: expected a list {name} of different tags, found "
            f"{'something else' if values else 'none'}; {ADVICE}"
        )
    return tuple(tags)
