"""docs/troubleshooting.md: each command that it shows fails with the line that it shows."""

from pathlib import Path

import pytest

from tests.console import ROOT, commands, run

PAGE = ROOT / "docs/troubleshooting.md"
SHOWN = commands(PAGE)
NO_EFFECT = """
name: no_effect
base: search_spaces/base/sft_tiny.yaml
metric: dev/answer_correctness
trials: 2
parameters:
  train.momentum: {type: float, low: 0.5, high: 0.9}
"""


@pytest.mark.slow
@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: shown.line[:60])
def test_the_error_is_the_one_that_is_shown(shown, tmp_path: Path) -> None:
    fails_as_shown(shown, tmp_path)


def test_one_error_is_the_one_that_is_shown(tmp_path: Path) -> None:
    fails_as_shown(SHOWN[0], tmp_path)


def fails_as_shown(shown, home: Path) -> None:
    (home / "no_effect.yaml").write_text(NO_EFFECT)
    if "no traces.jsonl" not in shown.output[-1]:
        run("podium trainset build tiny-reasoning", home, PODIUM_HOME=str(home))
    done = run(shown.line, home, PODIUM_HOME=str(home), COLUMNS="400")
    assert done.returncode in (1, 2)
    said = (
        done.stdout.strip().splitlines()[-1].replace(str(home), "/home/me/podium").replace(str(ROOT), "/home/me/podium")
    )
    assert said == shown.output[-1]
