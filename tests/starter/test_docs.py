"""docs/init.md: its commands do what it says, and its table has the priors."""

import json
import re

import pytest

from podium.starter import priors
from tests.console import ROOT, commands, missing_lines, run

PAGE = ROOT / "docs/init.md"


def test_the_table_of_ranges():
    rows = re.findall(r"^\| (all of them|LoRA) \| (.+?) \| ([\d.]+) to ([\d.]+) \|$", PAGE.read_text(), re.MULTILINE)
    sizes = {"below 50 million": 1e6, "up to 0.9 billion": 5e8, "below 0.9 billion": 5e8, "above": 2e9}
    assert len(rows) == 5
    for trained, size, low, high in rows:
        prior = priors.learning_rate(sizes[size], trained == "LoRA")
        assert (float(low), float(high)) == (prior.low, prior.high)


@pytest.mark.slow
def test_the_commands(home):
    sums = ({"prompt": f"{i // 20}+{i % 20}=?", "response": str(i // 20 + i % 20)} for i in range(400))
    (home / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in sums))
    shown = commands(PAGE)
    assert len(shown) == 5
    for command in shown:
        done = run(command.line, home, PODIUM_HOME="")
        assert done.returncode == 0, done.stdout
        assert missing_lines(command, done.stdout) == []
