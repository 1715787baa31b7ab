"""A training function of the user's own runs in place of the trainer, with everything else the same."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.resolved import SIZES, resolved
from podium.core.states import State
from podium.report.facts import collect
from tests.console import ROOT
from tuning import Ended, resume, sweep
from tuning.promotion import promote_unconfirmed
from tuning.study.files import ACTIVITY_FILE, stop_file
from tuning.tracking.description import describe

PAGE = (ROOT / "docs/own_objective.md").read_text()
OWN_SPACE = yaml.safe_load(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])
SPACE = OWN_SPACE | {
    "metric": "dev/loss",
    "direction": "minimize",
    "overrides": {"train.max_steps": 60, "train.warmup_steps": 0},
    "parameters": {"train.learning_rate": OWN_SPACE["parameters"]["train.learning_rate"]},
}
QUIET = {"backend": "inline", "tracking_uri": None}


@pytest.fixture
def space(home, store):  # noqa: ARG001 (a migrated MLflow store)
    (home / "own.yaml").write_text(yaml.safe_dump(SPACE | {"scheduler": "none", "trials": 3, "baseline": False}))
    return "own.yaml"


def good(config, report):
    for step in (10, 20, 30, 40, 50, 60):
        report(step, {"dev/loss": config.train.learning_rate + 1 / step, "extra": 1.0})


def test_it_is_the_study_of_a_function(space):
    study = sweep(space, train=good, **QUIET)
    assert [trial.state for trial in study.trials] == [State.COMPLETE] * 3
    best = study.best()
    assert best.value == pytest.approx(best.overrides["train.learning_rate"] + 1 / 60)
    assert list(best.reports) == [10, 20, 30, 40, 50, 60]
    assert best.metrics["extra"] == 1.0
    with pytest.raises(UsageError, match="was run with a training function of your own"):
        promote_unconfirmed(study.name, None, None)
    assert collect(study.name).next_command == f"podium show {study.name}/{best.number}"
    assert "promote" not in describe(study, "1", {})


def test_the_scheduler_ends_it_and_it_can_release_what_it_holds(home, space):
    released = []

    def train(config, report):
        try:
            good(config, report)
        except Ended:
            released.append(config.train.learning_rate)
            raise

    (home / space).write_text(yaml.safe_dump(SPACE | {"baseline": False}))
    study = sweep(space, train=train, **QUIET)
    pruned = [trial for trial in study.trials if trial.state is State.PRUNED]
    assert pruned and len(released) == len(pruned)
    assert all(trial.step < 60 for trial in pruned)


def fails(_, report):
    report(10, {"dev/loss": 1.0})
    raise KeyError("no such layer")


def diverges(_, report):
    report(10, {"dev/loss": 1.0})
    report(20, {"dev/loss": math.nan})


def goes_back(_, report):
    report(10, {"dev/loss": 1.0})
    report(10, {"dev/loss": 1.0})


def says_nothing(*_):
    return None


def short(_, report):
    report(10, {"dev/loss": 1.0})


@pytest.mark.parametrize(
    ("train", "state", "reason"),
    [
        (fails, State.FAILED, "no such layer"),
        (diverges, State.DIVERGED, "dev/loss is nan at step 20"),
        (goes_back, State.FAILED, "the step must be a whole number above the last one, 10"),
        (says_nothing, State.FAILED, "returned without a report"),
        (short, State.COMPLETE, None),
    ],
)
def test_how_a_trial_ends(space, train, state, reason):
    study = sweep(space, train=train, trials=1, **QUIET)
    (trial,) = study.trials
    assert trial.state is state
    assert trial.value == (1.0 if state is State.COMPLETE else None)
    if reason:
        assert reason in (trial.reason or "")


def test_a_resume_calls_it_again_and_skips_what_is_known(home, space):
    calls = home / "calls.txt"

    def train(config, report):
        is_first = not calls.exists()
        with calls.open("a") as file:
            file.write(f"{report.first_step} ")
        for step in (10, 20, 30, 40, 50, 60):
            if is_first and step == 30:
                stop_file(report.folder.parents[1]).write_text("a test asked for it")
            report(step, {"dev/loss": config.train.learning_rate + 1 / step})

    study = sweep(space, train=train, trials=2, **QUIET)
    assert study.summary["stopped"]
    assert study.trials[0].state is State.STOPPED
    left = study.trials[0].dir / ACTIVITY_FILE  # by a worker that was killed
    left.write_text("{}")
    done = resume(study.name, train=train, trials=2, **QUIET)
    assert not left.exists()
    assert [trial.state for trial in done.trials] == [State.COMPLETE] * 2
    assert calls.read_text().split()[:2] == ["0", "30"]
    assert list(done.trials[0].reports) == [10, 20, 30, 40, 50, 60]
    with pytest.raises(UsageError, match="train function"):
        resume(study.name, train=good, trials=3, **QUIET)


def test_the_example_of_the_page_runs(home):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (home / "my_training.py").write_text(program)
    (home / "own.yaml").write_text(yaml.safe_dump(OWN_SPACE, sort_keys=False))
    done = subprocess.run([sys.executable, "my_training.py"], cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d \{'train.learning_rate': 0.0\d+, 'own.width': \d+\}", done.stdout), done.stdout


def test_its_own_parameters_and_metrics(home, space):
    drawn = []

    def train(config, report):
        drawn.append((config.get("own.width"), config.own["kind"]))
        report(60, {"own/accuracy": config.own["width"] / 100})

    parameters = {"own.width": {"type": "int", "low": 16, "high": 256}, "own.kind": ["deep", "wide"]}
    values = {"own.width": 64, "own.kind": "deep"}
    write(
        home / space,
        parameters=parameters,
        overrides={"train.max_steps": 60, "train.warmup_steps": 0, **values},
        constraints=["own.width * own/accuracy <= 1000"],
        trials=3,
    )
    study = sweep(space, train=train, **QUIET)
    assert drawn[0] == (64, "deep") and study.trials[0].baseline
    assert [trial.value for trial in study.trials] == [width / 100 for width, _ in drawn]
    assert study.best().value == max(width for width, _ in drawn) / 100
    assert study.best().run_config.own["width"] == study.best().value * 100


def write(path, **changes):
    path.write_text(yaml.safe_dump({name: value for name, value in (OWN_SPACE | changes).items() if value is not None}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"overrides": {"train.warmup_steps": 0}},
            "own.width has no value in the base config, that of trial 0",
        ),
        ({"direction": None}, "direction is missing; add it"),
        ({"metric": "accuracy"}, "or own/NAME with a training function of your own"),
        ({"parameters": {"own.2nd": [1, 2]}}, "unknown config key 'own.2nd'"),
        (
            {},
            "own.width is read by a training function of your own only (docs/own_objective.md); remove it",
        ),
        (
            {"overrides": None, "parameters": SPACE["parameters"]},
            "metric own/accuracy is reported by a training function of your own; pass it as train=",
        ),
    ],
)
def test_what_only_a_function_reads_or_reports_is_refused_without_one(home, space, changes, message):
    write(home / space, **changes)
    with pytest.raises(UsageError, match=re.escape(message)):
        sweep(space, **QUIET)
    assert not (home / "studies").exists()


def test_the_trainer_refuses_values_of_the_users_own():
    with pytest.raises(UsageError, match=r"own\.width is read by a training function of your own only"):
        resolved(RunConfig().with_overrides({"own.width": 3, **dict.fromkeys(SIZES, 64)}))


@pytest.mark.slow
def test_workers_of_ray_run_it(home, space):
    program = Path(home / "with_ray.py")
    program.write_text(
        "from tuning import sweep\n"
        "def train(config, report):\n"
        "    for step in (10, 20, 30, 40, 50, 60):\n"
        "        report(step, {'dev/loss': config.train.learning_rate + 1 / step})\n"
        "if __name__ == '__main__':\n"
        f"    study = sweep({space!r}, train=train, backend='ray', workers=2)\n"
        "    print(sorted(str(trial.state) for trial in study.trials))\n"
    )
    done = subprocess.run([sys.executable, program], cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "['complete', 'complete', 'complete']" in done.stdout
