"""A small space on the tiny model, a study of it, and sweeps of it with the analytic worker."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.core.records import Report
from podium.core.states import State
from tests.tuning.analytic import AnalyticWorker
from tuning.protocol import to_result
from tuning.search.load import load_space
from tuning.search.space import SearchSpace
from tuning.study.events import Event
from tuning.study.study import StudyView
from tuning.sweep import resume, sweep

BASE = {"train": {"max_steps": 90, "learning_rate": 1e-3, "warmup_steps": 0}}
SPACE: dict[str, Any] = {
    "name": "small",
    "base": "base.yaml",
    "metric": "dev/answer_correctness",
    "sampler": {"name": "tpe", "seed": 1, "n_startup_trials": 4},
    "scheduler": {"name": "asha", "grace_period": 10, "reduction_factor": 3},
    "trials": 12,
    "report_every_steps": 10,
    "parameters": {
        "train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
        "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1},
    },
}
NO_FAILURE = {"failures": 0, "last_failure": None, "unwritten": [], "study_unwritten": False}  # MLflow's account
WriteSpace = Callable[..., Path]
RunSweep = Callable[..., StudyView]


@pytest.fixture
def write_space(home: Path) -> WriteSpace:
    """`write_space(trials=3)` writes the small space with these keys replaced (None takes one out)."""

    def write(**changes: Any) -> Path:
        values = {key: value for key, value in {**SPACE, **changes}.items() if value is not None}
        (home / "base.yaml").write_text(yaml.safe_dump(BASE))
        path = home / "space.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


@pytest.fixture
def space(write_space: WriteSpace) -> SearchSpace:
    return load_space(write_space())


@pytest.fixture
def run_sweep(write_space: WriteSpace, store: Path) -> RunSweep:  # noqa: ARG001
    """`run_sweep({"trials": 5}, ask=["stop-3"], backend="inline", ...)`: changes to the space, and what to ask of the
    analytic worker; the rest goes to `sweep`, or to `resume` with `resume=STUDY`."""

    def run(changes: dict[str, Any] | None = None, ask: tuple[str, ...] = (), **options: Any) -> StudyView:
        def request(event: Event) -> None:
            for name in ask:
                if event.kind == "started" and event.trial.number == int(name.rpartition("-")[2]):
                    (event.trial.dir.parents[1] / name).touch()

        listeners = [request, *options.pop("listeners", ())]
        path, study = write_space(**(changes or {})), options.pop("resume", None)
        options = {"backend": "inline", "worker": AnalyticWorker, **options, "listeners": listeners}
        return sweep(path, **options) if study is None else resume(study, path, **options)

    return run


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """One Ray for the tests of a file; sweeps join it. It ends with them: idle, its processes still take CPU time."""
    import ray

    from tuning.backends.ray_tune import start_ray

    start_ray()
    yield
    ray.shutdown()


def result(step: int, state: State, score: float | None = None, reason: str | None = None) -> dict[str, Any]:
    """What a trial passes to Tune."""
    metrics = {} if score is None else {"dev/answer_correctness": score}
    return to_result(Report(step=step, state=state, metrics=metrics, reason=reason), "dev/answer_correctness")


def fates(study: StudyView) -> dict[int, tuple[State, float | None, int]]:
    return {trial.number: (trial.state, trial.value, trial.step) for trial in study.trials}


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
