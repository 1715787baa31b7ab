"""Real sweeps of a tiny model on a few sums, in homes that share data and a migrated MLflow store; what `kill -9` must
not change in them; which processes they leave.
"""

import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from podium.core.clock import Deadline
from podium.core.files import read_jsonl
from podium.core.states import State
from tests.tuning.workers.test_worker import BASE, write_data
from tuning.study.study import StudyView, load_study
from tuning.tracking import store

TRIALS, STEPS, EVERY = 6, 6, 2
SPACE: dict[str, Any] = {
    "name": "sums",
    "base": "base.yaml",
    "metric": "train/loss",  # differs between trials from the first steps on, and does so the same on every run
    "sampler": {"name": "tpe", "seed": 3, "n_startup_trials": 2},
    "scheduler": {"name": "asha", "grace_period": EVERY, "reduction_factor": 2},
    "trials": TRIALS,
    "report_every_steps": EVERY,
    "workers": 1,
    "parameters": {
        "train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
        "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1},
    },
}
# Imported once for all sweeps. These imports start no JAX backend.
PRELOAD = [
    "podium.cli.main",
    "tuning.sweep",
    "tuning.bridge.searcher",
    "trainer.run.training_run",
    "mlflow",
    "optuna.storages",
]
POLL_S = 0.01
END_S = 300.0  # longer than any sweep here takes


def prepare(home: Path, migrated: Path, **changes: Any) -> None:
    """Write data, a space and an MLflow store for sweeps with `home` as PODIUM_HOME."""
    write_data(home)
    (home / "evalsets").mkdir()
    (home / "sums.jsonl").rename(home / "evalsets" / "sums.jsonl")  # found by name from any folder
    (home / "base.yaml").write_text(yaml.safe_dump({**BASE, "eval": {"evalset": "sums", "max_items": 1}}))
    (home / "space.yaml").write_text(yaml.safe_dump({**SPACE, **changes}))
    (home / "workspace").mkdir(exist_ok=True)
    shutil.copy(migrated, home / "workspace" / "mlflow.db")


def start_sweep(home: Path, *arguments: str) -> Any:
    """Start `podium sweep` in a process that has imported everything; its output goes to sweep.log."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    process = context.Process(target=_sweep, args=(home, arguments))
    process.start()
    return process


def _sweep(home: Path, arguments: tuple[str, ...]) -> None:
    from podium.cli.main import main

    with (home / "sweep.log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ["PODIUM_HOME"] = str(home)
    os.chdir(home)
    main(["sweep", *arguments])


def finish_sweep(home: Path, *arguments: str) -> None:
    process = start_sweep(home, *arguments)
    process.join(END_S)
    assert process.exitcode == 0, (home / "sweep.log").read_text()


def progress(home: Path, name: str) -> int:
    """The progress of a sweep: 1 once it has a study, and 1 for each step that was logged."""
    folder = home / "workspace" / "studies" / name
    lines = sum(path.read_bytes().count(b"\n") for path in folder.glob("trials/*/metrics.jsonl"))
    return lines + (folder / "space.yaml").is_file()


def wait_until(true: Callable[[], bool], alive: Callable[[], bool] = lambda: True, within_s: float = END_S) -> bool:
    """Wait until `true`, or no longer `alive`, or a timeout; returns whether it is true at last."""
    deadline = Deadline.after(within_s)
    pause = threading.Event()
    while alive() and not deadline.expired():
        if true():
            return True
        pause.wait(POLL_S)
    return true()


def processes_of(home: Path) -> dict[int, str]:
    """The processes that sweeps in `home` have started, without this one: pid -> command."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            mine = f"PODIUM_HOME={home}\0".encode() in (folder / "environ").read_bytes()
            is_zombie = "\nState:\tZ" in (folder / "status").read_text()
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended, or is not ours
            continue
        if mine and not is_zombie and int(folder.name) != os.getpid():
            found[int(folder.name)] = command[:300]
    return found


def workers_of(study: Path) -> list[int]:
    """The pids of a study's worker processes: those that hold its workers' lock."""
    lock, held = str((study / "workers.lock").resolve()), []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(str(file.readlink()) == lock for file in folder.iterdir()):
                held.append(int(folder.parent.name))
        except OSError:
            continue
    return held


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def trained(study: StudyView) -> dict[int, bytes]:
    """metrics.jsonl of the trials that have ended. Its lines have seconds, so a trial that ran again would differ."""
    return {t.number: (t.dir / "metrics.jsonl").read_bytes() for t in study.trials if t.state not in UNFINISHED}


def checkpointed(study: StudyView) -> dict[int, list[bytes]]:
    """The lines of metrics.jsonl up to the newest complete checkpoint, for trials that have not ended."""
    kept = {}
    for trial in study.trials:
        steps = [int(path.name) for path in (trial.dir / "checkpoints").glob("[0-9]*") if path.name.isdigit()]
        path = trial.dir / "metrics.jsonl"
        if trial.state in UNFINISHED and steps and path.is_file():
            lines = path.read_bytes().splitlines()
            kept[trial.number] = [line for line in lines if json.loads(line)["step"] <= max(steps)]
    return kept


UNFINISHED = (State.RUNNING, State.STOPPED)


def assert_whole(home: Path, name: str) -> StudyView:
    """Every trial has ended once, with its steps in order, and has one MLflow run with its state."""
    study = load_study(name)
    assert [trial.number for trial in study.trials] == list(range(TRIALS))
    assert {trial.state for trial in study.trials} <= {State.COMPLETE, State.PRUNED}, study.trials
    for trial in study.trials:
        steps = [line["step"] for _, line in read_jsonl(trial.dir / "metrics.jsonl")]
        assert steps == list(range(1, trial.step + 1)), (trial.number, steps)
        assert list(trial.reports) == list(range(EVERY, trial.step + 1, EVERY))
    client = store.open_client(f"sqlite:///{home / 'workspace' / 'mlflow.db'}")
    runs = store.find_runs(client, store.all_experiments(client), {"study": name})
    assert Counter(run.data.tags["kind"] for run in runs) == {"study": 1, "trial": TRIALS}
    shown = {int(run.data.tags["trial"]): run for run in runs if run.data.tags["kind"] == "trial"}
    assert {n: run.data.tags["state"] for n, run in shown.items()} == {t.number: t.state for t in study.trials}
    assert {run.info.status for run in runs} == {"FINISHED"}
    return study


def proposals(study: StudyView) -> list[tuple[Any, ...]]:
    """What each trial of a study tried and how it ended."""
    return [(trial.overrides, trial.state, trial.step, trial.reports, trial.value) for trial in study.trials]
