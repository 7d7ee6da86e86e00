"""A Beam worker without Beam's container: what an engine starts with --environment_type=PROCESS.

    --environment_type=PROCESS --environment_config='{"command": "/opt/tagscale/bin/tagscale-worker"}'

The engine passes the addresses of its services as options. In Beam's images a program called boot reads the rest from the
provision service and starts the Python worker; this does the same in an environment where the packages are installed already.
"""

from __future__ import annotations

import argparse
import os
import sys

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.worker import sdk_worker_main
from google.protobuf.json_format import MessageToJson

ANSWER_SECONDS = 60  # time that the provision service may take to answer


def main() -> None:
    """Run Beam's Python worker, set up as the engine's provision service says."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--id", required=True, help="Id that the engine gave this worker.")
    parser.add_argument("--provision_endpoint", required=True, help="Address of the engine's provision service.")
    arguments, _ = parser.parse_known_args()  # the other addresses are told by the service too
    with grpc.insecure_channel(arguments.provision_endpoint) as channel:
        info = (
            beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
            .GetProvisionInfo(
                beam_provision_api_pb2.GetProvisionInfoRequest(),
                timeout=ANSWER_SECONDS,
                wait_for_ready=True,
                metadata=[("worker_id", arguments.id)],
            )
            .info
        )
    # In this process, since importing Beam takes seconds; Beam's worker reads the environment.
    os.environ.update(
        WORKER_ID=arguments.id,
        PIPELINE_OPTIONS=MessageToJson(info.pipeline_options),
        RUNNER_CAPABILITIES=" ".join(info.runner_capabilities),
        CONTROL_API_SERVICE_DESCRIPTOR=f'url: "{info.control_endpoint.url}"',
        LOGGING_API_SERVICE_DESCRIPTOR=f'url: "{info.logging_endpoint.url}"',
    )
    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
