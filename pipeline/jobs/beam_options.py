"""Check the options for Beam before a job is planned, since Beam itself ignores options that it does not know."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

from pipeline.jobs.chosen_runner import advice_for, check_runner, names_of_job_server, open_runner, starts_job_server
from pipeline.jobs.remote_run import check_detachable
from schemas.console.errors import UserError
from schemas.console.usage_words import suggestion

OWN_OPTIONS = (
    "--catalog",
    "--dataset",
    "--excerpt",
    "--families",
    "--limit",
    "--out",
    "--shards",
    "--strict",
    "--workers",
)
_HELP = frozenset(("-h", "--help"))

with contextlib.suppress(ImportError):  # importing it registers its options with Beam
    import apache_beam.runners.dask.dask_runner  # noqa: F401


def check_beam_options(given: Sequence[str], *, detach: bool = False) -> None:
    """Check that Beam knows every given option, and that the runner is available.

    Args:
        given: Words after `--`; without a `--runner` among them a job runs on this machine.
        detach: Check also that the job goes on when this command ends.

    Raises:
        UserError: an option is unknown, a value is wrong, or the runner is missing or lacks its packages or job server.
    """
    if not given and not detach:
        return
    unknown = _unknown(given)  # raises one line for a wrong value, where Beam's parser prints many
    for word in _HELP.intersection(unknown):
        _refuse(word, is_last_word=True)  # Beam's own parser prints help for only some of them, and exits
    options = PipelineOptions(list(given))
    runner = open_runner(options)
    if detach:
        check_detachable(options)
    if unknown:
        unknown = _unknown(given, names_of_job_server(runner, options))
    if unknown:
        _refuse(unknown[0], is_last_word=not starts_job_server(runner, options))
    check_runner(runner, options)


def _refuse(word: str, *, is_last_word: bool) -> None:
    option = word.split("=")[0]
    if not option.startswith("-"):
        raise UserError(f"Beam options: expected --NAME=VALUE after --, received {word!r}; put other words before --")
    if option in OWN_OPTIONS:
        raise UserError(f"Beam options: {option} is not an option of Beam; put it before --")
    advice = suggestion(option, _parser().known)
    if option.startswith("--dask") and "apache_beam.runners.dask.dask_runner" not in sys.modules:
        advice = f" without its packages for dask; {advice_for('dask')}"
    if advice or is_last_word:  # a job server that Beam starts itself may know more options, but lists them only then
        raise UserError(f"Beam options: Beam has no {option}{advice or '; leave it out'}")


def _unknown(given: Sequence[str], more: Iterable[str] = ()) -> list[str]:
    """Words that are neither Beam's options nor in `more`."""
    parser = _parser()
    for name in more:
        parser.add_argument(name, nargs="?")
    return list(parser.parse_known_args(list(given))[1])


def _parser() -> _AllOptions:
    """A parser for all of Beam's options, assembled as Beam does."""
    parser = _AllOptions(allow_abbrev=False, add_help=False, conflict_handler="resolve")
    for options in {str(one): one for one in PipelineOptions.__subclasses__()}.values():
        options._add_argparse_args(parser)
    return parser


class _AllOptions(_BeamArgumentParser):  # type: ignore[misc]
    @property
    def known(self) -> list[str]:
        return [name for name in self._option_string_actions if name.startswith("--")]

    def error(self, message: str) -> NoReturn:
        raise UserError(f"Beam options: {message}")
