"""What was given to Beam, checked before a job is planned: Beam itself passes over options that it does not know."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Sequence
from typing import NoReturn

from apache_beam.options.pipeline_options import PipelineOptions, _BeamArgumentParser

from pipeline.jobs.chosen_runner import advice_for, check_runner, names_of_job_server, open_runner, starts_job_server
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

with contextlib.suppress(ImportError):  # defines options that Beam knows once it is imported
    import apache_beam.runners.dask.dask_runner  # noqa: F401


def check_beam_options(given: Sequence[str]) -> None:
    """See that Beam knows every option that it was given, and that the runner can be had.

    Args:
        given: what stands behind `--`; without a `--runner` among it a job runs on this machine.

    Raises:
        UserError: an unknown option, a wrong value, or a runner that is not there, lacks its packages or its job server.
    """
    if not given:
        return
    unknown = _unknown(given)  # raises for a wrong value, of which Beam's own parser makes many lines
    for word in _HELP.intersection(unknown):
        _refuse(word, is_last_word=True)  # Beam's own parser prints the help of a part of them, and leaves
    options = PipelineOptions(list(given))
    runner = open_runner(options)
    if unknown:
        unknown = _unknown(given, names_of_job_server(runner, options))
    if unknown:
        _refuse(unknown[0], is_last_word=not starts_job_server(runner, options))
    check_runner(runner, options)


def _refuse(word: str, *, is_last_word: bool) -> None:
    option = word.split("=")[0]
    if not option.startswith("-"):
        raise UserError(
            f"Beam options: expected --NAME=VALUE behind --, received {word!r}; put other words in front of --"
        )
    if option in OWN_OPTIONS:
        raise UserError(f"Beam options: {option} is none of Beam's; put it in front of --")
    advice = suggestion(option, _parser().known)
    if option.startswith("--dask") and "apache_beam.runners.dask.dask_runner" not in sys.modules:
        advice = f" without its packages for dask; {advice_for('dask')}"
    if advice or is_last_word:  # a job server that Beam starts itself may know more, and names it only then
        raise UserError(f"Beam options: Beam has no {option}{advice or '; leave it out'}")


def _unknown(given: Sequence[str], more: Iterable[str] = ()) -> list[str]:
    """Words that neither Beam's options nor `more` account for."""
    parser = _parser()
    for name in more:
        parser.add_argument(name, nargs="?")
    return list(parser.parse_known_args(list(given))[1])


def _parser() -> _AllOptions:
    """A parser of the options of all of Beam, as Beam puts it together for itself."""
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
