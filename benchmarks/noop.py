"""Sweeps of trials that do nothing, to measure the engine's cost per trial for `benchmarks.sweep_overhead`."""

import os
import time
from pathlib import Path
from typing import Any

from benchmarks.home import write_space
from podium.core.config import RunConfig
from podium.core.records import Report
from podium.core.states import State

WORKERS, REPORTS, METRICS = 2, 2, 20  # REPORTS per trial, METRICS per report


class NoopWorker:
    """A worker that reports without training."""

    def __init__(self, study_folder: Path) -> None:  # noqa: ARG002
        self._configs: dict[int, RunConfig] = {}

    @staticmethod
    def check(space: Any) -> dict[str, str]:  # noqa: ARG004
        return {}

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:  # noqa: ARG002
        self._configs[trial_id] = config
        return trial_id

    def advance(self, slot: int, until_step: int) -> Report:
        train = self._configs[slot].train
        metrics = {f"noop/{place}": float(place) for place in range(METRICS - 1)}
        state = State.COMPLETE if until_step >= train.max_steps else State.RUNNING
        return Report(step=until_step, state=state, metrics={"train/loss": train.learning_rate, **metrics})

    def save(self, slot: int, path: Path) -> None:
        """Save nothing."""

    def detach(self, slot: int) -> None:
        del self._configs[slot]

    def stats(self) -> dict[str, Any]:
        return {"compiles": [], "compile_s": 0.0}


def run(home: Path, trials: int, sampler: str, backend: str = "ray") -> dict[str, Any]:
    """Run a sweep of `trials` no-op trials on two workers and measure it.

    Returns:
        `trial_s`, seconds per trial from the end of the first to the end of the last; `after_s`, seconds from then to
        the end of the sweep, with what is written to MLflow; `memory_mb_per_1000`, growth of the driver's memory per
        1,000 trials; `tracker_ms`, milliseconds that the tracker takes per report; `unwritten`, the number of trials
        missing in MLflow; and `complete`, the number of complete trials.
    """
    from tuning import sweep
    from tuning.search.load import load_space
    from tuning.study.events import Event
    from tuning.tracking import Tracker

    space = write_space(
        home,
        {"train": {"max_steps": 10 * REPORTS}},
        {
            **{"name": f"noop-{sampler}-{trials}", "sampler": sampler, "scheduler": "none", "baseline": False},
            **{"trials": trials, "workers": WORKERS, "report_every_steps": 10, "metric": "train/loss"},
            "parameters": {
                "train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
                "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1},
                "train.warmup_steps": {"type": "int", "low": 0, "high": 9},
            },
        },
    )
    times: list[float] = []
    memory: list[float] = []
    tracked = _timed(Tracker)

    def listen(event: Event) -> None:
        if event.kind == "finished":
            times.append(time.perf_counter())
            memory.append(memory_mb())

    study = sweep(load_space(space), backend=backend, listeners=[listen], worker=NoopWorker)
    begun = min(100, trials // 2)
    return {
        "trial_s": (times[-1] - times[0]) / (len(times) - 1),
        "after_s": time.perf_counter() - times[-1],
        "memory_mb_per_1000": (memory[-1] - memory[begun]) / (len(memory) - begun) * 1000,
        "tracker_ms": sum(tracked) / len(tracked) * 1000,
        "unwritten": len(study.summary["mlflow"]["unwritten"]),
        "complete": study.summary["states"].get("complete", 0),
    }


def _timed(tracker: Any) -> list[float]:
    """Wrap `tracker.on_event`; each call with a report appends its seconds to the returned list."""
    seconds: list[float] = []
    original = tracker.on_event

    def on_event(self: Any, event: Any) -> None:
        started = time.perf_counter()
        original(self, event)
        if event.report:
            seconds.append(time.perf_counter() - started)

    tracker.on_event = on_event
    return seconds


def memory_mb() -> float:
    """Resident memory of this process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
