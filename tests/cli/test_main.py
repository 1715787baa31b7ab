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
        (["trai"], "no such command 'trai'; did you mean 'train'"),
        (["train"], "missing argument 'CONFIG.yaml'; see `podium train --help`"),
        (["trainset", "import", "a.jsonl"], "missing option '--as'; see `podium trainset import --help`"),
        (["kaggle", "push", "--wrong"], "no such option: --wrong; see `podium kaggle push --help`"),
        (["--wrong"], "no such option: --wrong"),
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


@pytest.mark.parametrize("group", ["trainset", "evalset", "space", "config", "kaggle"])
def test_a_group_without_a_command_shows_its_help(group):
    done = run(group)
    assert done.returncode == 2
    assert f"Usage: podium {group}" in done.stdout and "\nCommands:\n" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["ui", "--port", "x"], "error: --port 'x': must be a valid integer; see `podium ui --help`\n"),
        (
            ["export", "--run", "a", "--out", "b", "--dtype", "int8"],
            "error: --dtype 'int8': must be one of 'float32', 'bfloat16', 'float16'; see `podium export --help`\n",
        ),
        (["studies", "a"], "error: got unexpected extra argument (a); see `podium studies --help`\n"),
    ],
)
def test_a_wrong_value_is_shown_with_its_rule(arguments, line):
    assert run(*arguments).stderr == line
