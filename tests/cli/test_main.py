import subprocess
import sys

import pytest

from podium.cli import main as cli
from podium.core.errors import PodiumError, UsageError

HEAVY = {"jax", "ray", "mlflow", "optuna", "transformers", "numpy", "pandas", "pydantic", "yaml"}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "podium.cli.main", *arguments], capture_output=True, text=True)


def test_help_imports_no_heavy_library():
    code = (
        "import sys\n"
        "from podium.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "finally:\n"
        f"    heavy = {HEAVY} & set(sys.modules)\n"
        "    print('HEAVY', sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert "HEAVY []" in done.stderr
    for command in ("demo", "train", "predict", "score", "sweep", "ui", "promote", "submit", "package"):
        assert command in done.stdout


def test_no_arguments_shows_help_and_is_wrong_usage():
    done = run()
    assert done.returncode == 2
    assert "Make data:" in done.stdout and "Submit:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trai"], "No such command 'trai'. Did you mean 'train'"),
        (["train"], "Missing argument 'CONFIG.yaml'; see `podium train --help`"),
        (["trainset", "import", "a.jsonl"], "Missing option '--as'; see `podium trainset import --help`"),
        (["kaggle", "push", "--wrong"], "No such option: --wrong; see `podium kaggle push --help`"),
        (["--wrong"], "No such option: --wrong (Possible options: --version); see `podium --help`"),
    ],
)
def test_wrong_usage_is_one_line_and_two(arguments, message):
    done = run(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UsageError("a=1, must be > 1"), 2, "error: a=1, must be > 1\n"),
        (PodiumError("the run\nfailed"), 1, "error: the run failed\n"),
        (KeyError("x"), 1, "error: KeyError: 'x' (a bug in Podium"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_every_failure_is_a_line_and_a_code(monkeypatch, capsys, error, code, line):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main([])
    assert caught.value.code == code
    assert capsys.readouterr().err.startswith(line)


def test_debug_shows_the_traceback(monkeypatch, capsys):
    def fail(*_, **__):
        raise UsageError("x")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main(["train", "--debug"])
    assert caught.value.code == 2
    assert "Traceback" in capsys.readouterr().err


def test_a_secret_in_an_error_is_not_printed(monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_very_secret")

    def fail(*_, **__):
        raise UsageError("401 for hf_very_secret")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit):
        cli.main([])
    assert capsys.readouterr().err == "error: 401 for [HF_TOKEN]\n"
