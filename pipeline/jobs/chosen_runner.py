"""Check that the runner that a job asks for is available here."""

from __future__ import annotations

import copy
import importlib
import os
import shutil
import socket
import urllib.parse
from collections.abc import Sequence
from typing import Any

import grpc
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    PrismRunnerOptions,
    StandardOptions,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc
from apache_beam.runners.portability.job_server import JavaJarJobServer
from apache_beam.runners.portability.portable_runner import PortableRunner
from apache_beam.runners.portability.prism_runner import PrismJobServer
from apache_beam.runners.runner import PipelineRunner, create_runner

from schemas.console.errors import UserError, did_you_mean
from schemas.console.interpreter import install_advice

ANSWER_SECONDS = 30  # time that a job server may take to answer, unless --job_server_timeout is less
EMBEDDED = "embed"  # the --job_endpoint of Beam's own job server in this process
_DASK = "apache_beam.runners.dask.dask_runner.DaskRunner"  # which has no short name

# Runner -> the option that names the program of its job server, which Beam downloads otherwise.
_PROGRAMS = {
    "FlinkRunner": "--flink_job_server_jar",
    "PrismRunner": "--prism_location",
    "SparkRunner": "--spark_job_server_jar",
}

# Part of a runner's full name -> a module that it needs, in some cases only once it runs.
_NEEDS = {
    "dataflow": "apache_beam.runners.dataflow.internal.apiclient",
    "dask": "dask.distributed",
    "interactive": "apache_beam.runners.interactive.interactive_runner",
}


def open_runner(options: PipelineOptions) -> PipelineRunner | None:
    """The runner that the options name; None if they name none.

    Raises:
        UserError: there is no such runner, or its packages are not installed.
    """
    name = options.view_as(StandardOptions).runner
    if name is None:
        return None
    if name.casefold() in ("dask", "daskrunner"):
        raise UserError(f"--runner {name}: Beam knows it only by its full name; write --runner={_DASK}")
    for part, module in _NEEDS.items():
        if part in name.casefold():
            try:
                importlib.import_module(module)
            except ImportError as error:
                raise UserError(
                    f"--runner {name}: its packages are not installed ({' '.join(str(error).split())}); {advice_for(part)}"
                ) from error
    try:
        runner: PipelineRunner = create_runner(name)
    except (ImportError, AttributeError) as error:
        raise UserError(f"--runner {name}: cannot be imported: {' '.join(str(error).split())}") from error
    except (ValueError, TypeError) as error:
        known = StandardOptions.KNOWN_RUNNER_NAMES
        raise UserError(
            f"--runner: expected {', '.join(known)} or the full name of a runner's class, received "
            f"{name!r}{did_you_mean(name, known)}"
        ) from error
    return runner


def advice_for(part: str) -> str:
    """Command that installs the packages of a runner: dataflow, dask or interactive."""
    return install_advice("gcp") if part == "dataflow" else f"install them: pip install 'apache-beam[{part}]'"


def names_of_job_server(runner: PipelineRunner | None, options: PipelineOptions) -> Sequence[str]:
    """Options that the job server at --job_endpoint knows in addition to Beam's own.

    Raises:
        UserError: no job server answers there.
    """
    endpoint = _endpoint(runner, options)
    if endpoint is None or endpoint == EMBEDDED:
        return ()
    asked = options.view_as(PortableOptions).job_server_timeout
    seconds = min(ANSWER_SECONDS, ANSWER_SECONDS if asked is None else asked)
    with grpc.insecure_channel(endpoint) as channel:
        try:
            answer = beam_job_api_pb2_grpc.JobServiceStub(channel).DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=seconds, wait_for_ready=True
            )
        except grpc.RpcError as error:
            raise UserError(
                f"--job_endpoint: expected a job server at {endpoint}, where none answered within {seconds:g} s "
                f"({error.code().name}); start it, or give its HOST:PORT"
            ) from error
    return [f"--{option.name}" for option in answer.options]


def starts_job_server(runner: PipelineRunner | None, options: PipelineOptions) -> bool:
    """True if Beam will start the runner's job server, whose own options are unknown until then."""
    return isinstance(runner, PortableRunner) and _endpoint(runner, options) is None


def check_runner(runner: PipelineRunner | None, options: PipelineOptions) -> None:
    """Check that a runner has what it needs to start, and download the program of its job server; nothing is started.

    Raises:
        UserError: it lacks something, or options contradict each other.
    """
    names_of_job_server(runner, options)
    if type(runner).__name__ == "DaskRunner":
        _check_scheduler(options)
    if isinstance(runner, PortableRunner) and starts_job_server(runner, options):
        _check_job_server(runner, options)
    validator = PipelineOptionsValidator(options, runner)
    for part in validator.OPTIONS:
        if part is GoogleCloudOptions and not validator.is_service_runner():
            continue
        view = options.view_as(part)
        # Beam's full check of Google's options would also look for the buckets and create one; that is left to the job.
        found = validator.validate_cloud_options(view) if part is GoogleCloudOptions else _faults(view, validator)
        if found:
            raise UserError(f"Beam options: {' '.join(str(found[0]).split()).rstrip('.')}; fix it after --")


def _check_scheduler(options: PipelineOptions) -> None:
    """Raise UserError if nothing listens at the address of dask's scheduler; without an address dask starts its own."""
    from apache_beam.runners.dask.dask_runner import DaskOptions

    address = options.view_as(DaskOptions).address
    parts = urllib.parse.urlsplit(address if address and "://" in address else f"tcp://{address}")
    if not address or parts.scheme not in ("tcp", "tls"):
        return
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=ANSWER_SECONDS):
            pass
    except (OSError, ValueError) as error:
        raise UserError(
            f"--dask_client_address: expected a scheduler at {address}: {getattr(error, 'strerror', None) or error}; "
            "start it, or give its tcp://HOST:PORT"
        ) from error


def _faults(view: Any, validator: PipelineOptionsValidator) -> Sequence[str]:
    return view.validate(validator) if hasattr(type(view), "validate") else ()


def _endpoint(runner: PipelineRunner | None, options: PipelineOptions) -> str | None:
    endpoint: str | None = options.view_as(PortableOptions).job_endpoint
    return endpoint if isinstance(runner, PortableRunner) else None


def _check_job_server(runner: PortableRunner, options: PipelineOptions) -> None:
    name = type(runner).__name__
    location = options.view_as(PrismRunnerOptions).prism_location
    if name == "PrismRunner" and location and "://" not in location and not os.path.exists(location):
        raise UserError(f"--prism_location {location}: no such file; give the path of the program prism, or its URL")
    try:
        server = runner.default_job_server(copy.deepcopy(options))
        server = getattr(server, "_job_server", server)  # unwrap the object that stops it at the end
    except NotImplementedError as error:
        raise UserError(
            f"--runner {name}: expected --job_endpoint=HOST:PORT of its job server with it, received none"
        ) from error
    except ValueError as error:
        raise UserError(f"--runner {name}: {' '.join(str(error).split())}") from error
    java = options.view_as(JobServerOptions).job_server_java_launcher
    if isinstance(server, JavaJarJobServer) and shutil.which(java) is None:
        raise UserError(
            f"--runner {name}: its job server needs {java}, which is not installed; install Java, or give the "
            "--job_endpoint of a job server that runs elsewhere"
        )
    try:
        _fetch(server, options)
    except ValueError as error:  # an invalid path or address
        raise UserError(f"--runner {name}: {' '.join(str(error).split())}") from error
    except (RuntimeError, OSError) as error:
        own = f"{_PROGRAMS[name]}=FILE if you have its program, or " if name in _PROGRAMS else ""
        raise UserError(
            f"--runner {name}: its job server cannot be obtained: {' '.join(str(error).split())}; give {own}the "
            "--job_endpoint of one that is already running"
        ) from error


def _fetch(server: Any, options: PipelineOptions) -> None:
    """Download the program of a job server as Beam would at the start of the job; Beam finds it in its cache then."""
    if isinstance(server, JavaJarJobServer):
        server.local_jar(server.path_to_jar(), options.view_as(JobServerOptions).jar_cache_dir)
    elif isinstance(server, PrismJobServer):
        server._get_executable_path()
