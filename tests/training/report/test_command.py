from __future__ import annotations

from click.testing import CliRunner

from schemas.console.errors import UserError
from schemas.console.shown_commands import training_command
from tests.training.report.conftest import WrittenRun
from training.run import cli


def test_the_command_says_where_the_page_is_and_what_it_lacks(written_run: WrittenRun) -> None:
    root = str(written_run.epochs([0.5]).root)
    ended = CliRunner().invoke(cli, ["report", "--run", root])
    assert ended.exit_code == 0, ended.output
    assert f"{root}/report.html: " in ended.output
    assert f"next: {training_command('evaluate', '--run', root, '--split', 'test')}" in ended.output
    refused = CliRunner().invoke(cli, ["report", "--run", root, "--split", "validation"])
    assert isinstance(refused.exception, UserError)
    assert "has not been evaluated" in str(refused.exception)
