"""The settings of an engine, read from a YAML file, as the options that Beam needs for it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from schemas.console.errors import UserError, did_you_mean
from schemas.user_files.yaml_files import boolean, read_yaml, shown


@dataclasses.dataclass(frozen=True)
class Setting:
    """A field of an engine's file.

    Attributes:
        expected: Description of valid values.
        options: Returns the options for Beam that a value stands for; raises ValueError for an invalid one.
        is_required: True if the engine does not work without it.
    """

    expected: str
    options: Callable[[Any], list[str]]
    is_required: bool = False


@dataclasses.dataclass(frozen=True)
class Engine:
    """An engine.

    Attributes:
        always: Options that it needs in any case.
        settings: Its fields by name.
        one_of: Fields of which it needs exactly one; empty if there are none.
    """

    always: tuple[str, ...]
    settings: Mapping[str, Setting]
    one_of: tuple[str, ...] = ()


def engine_options(name: str | None, config: str | None, given: Sequence[str]) -> list[str]:
    """Options for Beam: those of an engine, then those that were given, which replace them.

    Args:
        name: An engine; None for none.
        config: File with its settings, local or gs://; None for none.
        given: Options for Beam from the command line.

    Raises:
        UserError: the file or a field in it is wrong, or a field is missing.
    """
    if name is None:
        if config is not None:
            raise UserError(f"--engine-config {config}: expected --engine with it, one of {', '.join(ENGINES)}")
        return list(given)
    engine = ENGINES[name]
    fields = {} if config is None else _fields(config)
    where = f"--engine {name}" if config is None else config
    return [*engine.always, *_options(name, engine, fields, where), *given]


def _fields(config: str) -> Mapping[str, Any]:
    fields = read_yaml(config, "the settings of an engine")
    if not isinstance(fields, dict):
        raise UserError(f"{config}: expected fields with the settings of an engine, received {shown(fields)}")
    return fields


def _options(name: str, engine: Engine, fields: Mapping[str, Any], where: str) -> list[str]:
    for field in fields:
        if field not in engine.settings:
            known = ", ".join(engine.settings) or "none"
            raise UserError(
                f"{where}: {name} has no field {str(field)!r}; its fields: {known}{did_you_mean(field, engine.settings)}"
            )
    missing = [field for field, setting in engine.settings.items() if setting.is_required and field not in fields]
    if missing:
        it = "it" if len(missing) == 1 else "them"
        raise UserError(f"{where}: expected {' and '.join(missing)}; give a file with {it} by --engine-config")
    chosen = [field for field in engine.one_of if field in fields]
    if engine.one_of and len(chosen) != 1:
        raise UserError(
            f"{where}: expected exactly one of {', '.join(engine.one_of)}, which say how {name} starts workers, received "
            f"{' and '.join(chosen) or 'none'}"
        )
    options: list[str] = []
    for field, setting in engine.settings.items():
        if field not in fields:
            continue
        try:
            options += setting.options(fields[field])
        except ValueError:
            raise UserError(f"{where}: {field}: expected {setting.expected}, received {shown(fields[field])}") from None
    return options


def _setting(option: str, expected: str, pattern: str = r".*\S.*", *, required: bool = False) -> Setting:
    """A field whose value is that of one option."""

    def options(value: Any) -> list[str]:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError
        return [f"--{option}={value}"]

    return Setting(expected, options, required)


def _count(option: str) -> Setting:
    return _setting(option, "a whole number from 1 on", "0*[1-9][0-9]{0,8}")


def _switch(option: str) -> Setting:
    def options(value: Any) -> list[str]:
        is_on = boolean(value)
        if is_on is None:
            raise ValueError
        return [f"--{option}"] if is_on else []

    return Setting("yes or no", options)


def _environment(kind: str, expected: str, config: Callable[[str], str] = str) -> Setting:
    """A field that says how an engine starts workers."""

    def options(value: Any) -> list[str]:
        if not isinstance(value, str) or not value.strip():
            raise ValueError
        return [f"--environment_type={kind}", f"--environment_config={config(value)}"]

    return Setting(expected, options)


def _labels(value: Any) -> list[str]:
    if not isinstance(value, dict):
        raise ValueError
    for key, text in value.items():
        if not re.fullmatch("[a-z][a-z0-9_-]{0,62}", key) or not re.fullmatch("[a-z0-9_-]{0,63}", str(text)):
            raise ValueError
    return [f"--labels={key}={value[key]}" for key in sorted(value)]


_FOLDER = r"gs://\S+"
_PORTABLE = {
    "job_endpoint": _setting("job_endpoint", "HOST:PORT of Beam's job server for it", r"\S+:[0-9]{1,5}", required=True),
    "worker_command": _environment(
        "PROCESS", "the path of tagscale-worker on its machines", lambda path: json.dumps({"command": path})
    ),
    "worker_pool": _environment("EXTERNAL", "HOST:PORT of a worker pool"),
    "worker_image": _environment("DOCKER", "the name of an image"),
}
_WORKERS = ("worker_command", "worker_pool", "worker_image")

ENGINES: Mapping[str, Engine] = {
    "local": Engine((), {}),
    "flink": Engine(
        ("--runner=PortableRunner",),
        {
            **_PORTABLE,
            "rest": _setting(
                "flink_master", "HOST:PORT of its JobManager's REST interface", r"(https?://)?[^\s/:]+:[0-9]{1,5}/?"
            ),
            "parallelism": _count("parallelism"),
        },
        _WORKERS,
    ),
    "spark": Engine(("--runner=PortableRunner",), _PORTABLE, _WORKERS),
    "dask": Engine(
        ("--runner=apache_beam.runners.dask.dask_runner.DaskRunner",),
        {
            "scheduler": _setting("dask_client_address", "tcp://HOST:PORT of its scheduler", required=True),
            "partitions": _count("dask_npartitions"),
        },
    ),
    "dataflow": Engine(
        (
            "--runner=DataflowRunner",
            "--sdk_location=container",
            "--no_save_main_session",
            "--number_of_worker_harness_threads=1",  # a worker process writes one shard at a time
        ),
        {
            "project": _setting("project", "the id of a project", required=True),
            "region": _setting("region", "a region, such as europe-west1", required=True),
            "temp_location": _setting("temp_location", "a gs:// folder", _FOLDER, required=True),
            "image": _setting("sdk_container_image", "the name of the workers' image", required=True),
            "staging_location": _setting("staging_location", "a gs:// folder", _FOLDER),
            "job_name": _setting("job_name", "lower-case letters, digits and hyphens", "[a-z]([a-z0-9-]*[a-z0-9])?"),
            "service_account": _setting("service_account_email", "the address of a service account", r"\S+@\S+"),
            "network": _setting("network", "the name of a network"),
            "subnetwork": _setting("subnetwork", "the path of a subnetwork"),
            "private": _switch("no_use_public_ips"),
            "machine_type": _setting("worker_machine_type", "a machine type, such as n1-standard-4"),
            "workers": _count("num_workers"),
            "max_workers": _count("max_num_workers"),
            "disk_gb": _count("disk_size_gb"),
            "flexrs": _switch("flexrs_goal=COST_OPTIMIZED"),
            "labels": Setting("lower-case names with lower-case values", _labels),
            "template": _setting("template_location", "a gs:// file", _FOLDER),
        },
    ),
}
