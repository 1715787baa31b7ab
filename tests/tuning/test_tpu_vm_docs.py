"""docs/tpu-vm.md shows commands that the command line takes."""

import shlex

import pytest

from podium.core.paths import find_file
from tests.console import ROOT, commands

PAGE = ROOT / "docs/tpu-vm.md"
TEXT = PAGE.read_text()
COMMANDS = [shown.line[shown.line.index("podium sweep") :] for shown in commands(PAGE) if "podium sweep" in shown.line]


def test_each_kind_of_machine_has_its_commands():
    for heading in ("One TPU VM", "A GPU box", "A pod slice"):
        section = TEXT.split(f"\n## {heading}")[1].split("\n## ")[0]
        assert "podium sweep" in section, heading
    assert "No command on this page was run on a real TPU" in TEXT


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_line_takes_it(line):
    """The parser as it is; nothing is run."""
    from typer.main import get_command

    from podium.cli.main import app

    _, name, *arguments = shlex.split(line)
    command = get_command(app).commands[name]
    context = command.make_context(name, arguments)
    assert find_file(context.params["space"]).is_file()
    assert context.params["backend"] in (None, "ray")  # None: the setting, by default auto
