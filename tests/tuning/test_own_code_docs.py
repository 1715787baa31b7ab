"""The documents' examples of a sampler and an objective of one's own: they run, and print what is shown."""

import re

from tests.console import ROOT, commands, missing_lines, run

SAMPLERS = ROOT / "docs/samplers_and_schedulers.md"


def block(language: str, text: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return found


def test_the_sampler(home):
    section = SAMPLERS.read_text().split("\n## A sampler of your own\n")[1].split("\n## ")[0]
    (home / "my_samplers.py").write_text(block("python", section))
    (home / "own_sampler.yaml").write_text(block("yaml", section))
    (command,) = commands(SAMPLERS)
    done = run(command.line, home, PODIUM_HOME="")
    assert done.returncode == 0, done.stdout
    assert missing_lines(command, done.stdout) == []
    assert command.output == done.stdout.splitlines()  # proposals follow from the seed
