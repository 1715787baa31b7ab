"""20 random bits in each file of a study and of a run: every command says one line or goes on right."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from podium.core.paths import study_dir
from tests.damage import flip_bit

pytestmark = pytest.mark.slow

BEFORE = Path(__file__).parents[1] / "fixtures" / "made_before"
STUDY = "before"
READ = (["studies"], ["show", STUDY], ["trials", STUDY], ["show", f"{STUDY}/1"], ["leaderboard"], ["watch", STUDY])
LOCKS = ("driver.lock", "workers.lock")


def flips(folder: Path, names: list[Path], times: int = 20) -> Iterator[Path]:
    """Yields the file in which a bit was flipped, and restores the whole folder afterwards."""
    draw, kept = random.Random(0), folder.with_name(f"{folder.name}-kept")
    shutil.copytree(folder, kept)
    for name in names:
        for _ in range(times if (folder / name).stat().st_size else 0):
            flip_bit(folder / name, draw.randrange((folder / name).stat().st_size), draw.randrange(8))
            yield name
            shutil.rmtree(folder)
            shutil.copytree(kept, folder)


def check(done, command: list[str], name: Path) -> None:
    where = f"{command} after a flip in {name}: {done}"
    assert done.code in (0, 1, 2), where
    assert "bug in Podium" not in done.err + done.out and "Traceback" not in done.err + done.out, where
    errors = [line for line in done.err.splitlines() if not line.startswith("warning: ")]
    assert len(errors) == (done.code > 0), where
    assert all(len(line) < 1000 for line in errors), where


def test_of_a_study(podium, home):
    for folder in ("evalsets", "trainsets"):
        shutil.copytree(BEFORE / folder, home / folder)
    shutil.copytree(BEFORE / "studies", home / "workspace" / "studies")
    folder = study_dir(STUDY)
    names = [
        path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in LOCKS
    ]
    for name in flips(folder, [name for name in names if "checkpoints" not in name.parts]):
        for command in (*READ, ["promote", STUDY, "--as", "x"], ["repair", STUDY], *READ):
            check(podium(*command), command, name)
        assert podium("studies").out.count(STUDY), name
        assert podium("repair", STUDY).out.startswith(f"{STUDY}: nothing is damaged") or podium("show", STUDY).code, (
            name
        )
        shutil.rmtree(home / "submission_runs", ignore_errors=True)


def test_of_a_run(podium, home, finished):
    ignored = shutil.ignore_patterns("lock.json", "claim.json", "run_manifest.json")
    run = Path(shutil.copytree(finished / "submission_runs" / "done", home / "run", ignore=ignored))
    for folder in ("trainsets", "evalsets"):
        shutil.copytree(finished / folder, home / folder)
    shutil.copy(run / "config.yaml", home / "config.yaml")
    predict = [
        "predict",
        "--run",
        "run",
        "--evalset",
        "small_v1",
        "--set",
        "generate.max_new_tokens=2",
        "--out",
        "p.jsonl",
    ]
    resume = ["train", "config.yaml", "--out", "run", "--resume"]
    names = [Path(name) for name in ("config.yaml", "metrics.jsonl", "provenance.json", "scorecard.json")]
    for name in flips(run, names, times=5):
        for command in (predict, ["repair", "run"], resume, predict):
            check(podium(*command), command, name)
