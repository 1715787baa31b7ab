"""Every command that a page shows is run by a test, and prints what the page says."""

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from podium.core.files import write_json
from tests.console import HOME, ROOT, Command, commands, files, missing_lines, run, run_until
from tests.core.test_quota import lock, used

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@dataclass(frozen=True)
class Tour:
    """Pages whose commands run in order in one home, as a reader of all of them would type them."""

    pages: tuple[str, ...]
    before: tuple[str, ...] = ()  # what the first page takes for granted
    varies: str = "$^"  # lines of the pages that depend on timing


TOURS = {
    "first_sweep": Tour(
        ("docs/first_sweep.md", "docs/report.md", "docs/doctor.md"),
        varies="trial",  # which ones are stopped
    ),
    "training": Tour(("docs/training_end_to_end.md", "docs/models.md")),
    "submission": Tour(
        ("docs/trainsets.md", "docs/sweeps.md", "docs/promotion.md", "docs/submission.md", "docs/evaluation.md")
    ),
    "evidence": Tour(("docs/evidence.md",), before=("podium trainset build dev-reasoning-v2",)),
    "kaggle": Tour(
        ("docs/kaggle.md", "docs/budgets.md"),
        before=(
            "podium trainset build tiny-reasoning",
            "podium sweep search_spaces/tiny.yaml --trials 1 --name k --backend inline",
            "podium promote k --as kaggle-run --quick",
            "podium promote k --as best --quick",
        ),
    ),
}

# Pages with a test of their own, since it needs more than commands and files.
ELSEWHERE = {
    "README.md": "test_documents.py",
    "docs/conversations.md": "cli/test_conversations.py",
    "docs/data.md": "test_data_doc.py",
    "docs/gsm8k_walkthrough.md": "test_documents.py",
    "docs/init.md": "starter/test_docs.py",
    "docs/mlflow.md": "tuning/tracking/test_mlflow_docs.py",
    "docs/samplers_and_schedulers.md": "tuning/test_own_code_docs.py",
    "docs/settings.md": "cli/test_config.py",
    "docs/troubleshooting.md": "test_troubleshooting.py",
}

NOT_RUN = {
    "runs this test": ("make test",),
    "downloads packages": (
        "make setup && . .venv/bin/activate",
        "make wheels",
        "python -m pip install --no-index --find-links wheels pydantic pyyaml",
        "python -m venv bench && bench/bin/pip install -r benchmarks/requirements-bench.txt",
    ),
    "needs google-tunix and PyTorch": ("bench/bin/python -m benchmarks.train_step",),
    "needs an accelerator; tests/benchmarks/test_accelerator.py rehearses it": ("python -m benchmarks.accelerator",),
    "needs a run on Kaggle; tests/submission/kaggle collects rehearsed ones": (
        "podium kaggle collect podium_kaggle-run_evidence.zip --as kaggle-run --notebook-version 3",
    ),
    "needs a TPU VM, a GPU box, a cluster or PostgreSQL; tests/tuning/test_tpu_vm_docs.py parses it": (
        "make setup",
        "export PATH=$PWD/.venv/bin:$PATH PODIUM_WORKSPACE=$HOME/workspace",
        "podium sweep search_spaces/gemma3_1b.yaml --backend ray --workers 8",
        "podium sweep search_spaces/gemma2_2b.yaml --backend ray --workers 2 --chips-per-worker 4",
        "export PATH=$PWD/.venv/bin:$PATH",
        "podium sweep search_spaces/gemma3_1b.yaml --backend ray",
        "podium sweep search_spaces/gemma3_1b.yaml --backend ray --workers 2",
        "export RAY_AUTH_MODE=token",
        "ray get-auth-token --generate",
        "ray start --head --port 6379",
        "ray start --address 10.0.0.2:6379",
        "podium sweep search_spaces/gemma3_1b.yaml --address auto",
        "podium sweep search_spaces/gemma3_1b.yaml --address 10.0.0.2:6379 --chips-per-worker 4",
        "podium sweep search_spaces/gemma3_1b.yaml --address auto --storage s3://bucket/podium",
        "ray job submit --address http://127.0.0.1:8265 -- env PODIUM_HOME=$HOME/podium podium sweep search_spaces/gemma3_1b.yaml --address auto",  # noqa: E501
        "make setup EXTRAS=postgres   # or: .venv/bin/pip install -e '.[postgres]'",
        "export PGPASSWORD=...",
        "export MLFLOW_TRACKING_URI=postgresql+psycopg://podium@10.0.0.9/mlflow",
        "podium sweep search_spaces/gemma3_1b.yaml --optuna-storage postgresql+psycopg://podium@10.0.0.9/optuna",
    ),
}
SKIPPED = [line for lines in NOT_RUN.values() for line in lines]


def arc_tasks(home: Path) -> None:
    """Six tasks with solutions, and one without."""
    pair = {"input": [[1, 2], [3, 4]], "output": [[4, 3], [2, 1]]}
    challenge = {"train": [pair, pair], "test": [{"input": pair["input"]}]}
    write_json(home / "training_challenges.json", {f"t{n}": challenge for n in range(6)})
    write_json(home / "training_solutions.json", {f"t{n}": [pair["output"]] for n in range(6)})
    write_json(home / "test_challenges.json", {"hidden": challenge})


def committed_run(home: Path) -> None:
    shutil.copytree(ROOT / "submission_runs/rehearsal_v1", home / "submission_runs/rehearsal_v1")


def quota_in_use(_home: Path) -> None:
    used(15.6)
    lock("first", profile="kaggle-gpu-l4x4", time_budget_s=3 * 3600)


PREPARE = {"docs/evaluation.md": arc_tasks, "docs/evidence.md": committed_run, "docs/budgets.md": quota_in_use}


def check(command: Command, home: Path) -> None:
    """Run the command as the page shows it: with its exit code and its output, numbers and hashes aside."""
    environment = {"PODIUM_HOME": str(home), "HOME": str(home)}
    if command.output[-1:] == ["Killed"]:
        words = " ".join(command.output[-2].split()[:2])
        output = run_until(words, command.line, home, **environment) + "Killed\n"
    else:
        done = run(command.line, home, **environment)
        fails = any(line.startswith("error: ") for line in command.output)
        assert done.returncode in ((1, 2) if fails else (0,)), f"{command.line}\n{done.stdout}"
        output = done.stdout
    output = output.replace(str(home), HOME).replace(str(ROOT), HOME)
    assert missing_lines(command, output) == [], f"{command.line}\n{output}"


@pytest.mark.slow
@pytest.mark.parametrize("tour", TOURS.values(), ids=TOURS)
def test_the_commands_of_the_pages(tour: Tour, home: Path):
    for line in tour.before:
        check(Command(line), home)
    for name in tour.pages:
        PREPARE.get(name, lambda _: None)(home)
        for file, text in files(ROOT / name).items():
            (home / file).write_text(text, encoding="utf-8")
        for command in to_run(ROOT / name):
            command.output = [line for line in command.output if not re.search(tour.varies, line)]
            check(command, home)


def to_run(page: Path) -> list[Command]:
    return [command for command in commands(page) if command.line not in SKIPPED]


def test_every_page_with_commands_has_a_test():
    pages = {str(page.relative_to(ROOT)) for page in PAGES if to_run(page)}
    toured = [page for tour in TOURS.values() for page in tour.pages]
    assert sorted(pages) == sorted([*toured, *ELSEWHERE])
    for page, test in ELSEWHERE.items():
        assert page.removeprefix("docs/") in (ROOT / "tests" / test).read_text(encoding="utf-8")


def test_what_is_not_run_is_on_a_page_and_can_be_parsed():
    assert set(SKIPPED) <= {command.line for page in PAGES for command in commands(page)}
    assert run(f"bash -n -c {shlex.quote(chr(10).join(SKIPPED))}", ROOT).returncode == 0


CODE = re.compile(r"^```(\w*)\n(.*?)^```|((?:^    [^\n]*\n)+)", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ *(\$ |(podium|make|python|pip|kaggle|ray|export|git|[A-Z_]+=\S+) [\w-])", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_in_console_blocks(page: Path):
    """The only form that the tests run."""
    text = re.sub(r"^```(?:text|console|python)\n.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    found = [fenced or indented for _, fenced, indented in CODE.findall(text)]
    assert [block for block in found if COMMAND.search(block)] == []
