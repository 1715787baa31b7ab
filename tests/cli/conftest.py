"""The command line, called in this process."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from podium.cli.main import main


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def podium(
    home: Path,  # noqa: ARG001 (it sets PODIUM_HOME)
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Done]:
    """`podium("score", path, ...)` in an empty PODIUM_HOME; gives exit code and what was printed."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(int(exited.value.code or 0), captured.out, captured.err)

    return run
