"""Trials an hour of search_spaces/tiny.yaml on one warm worker, each trained to the end and scored on the dev split.

The worker is the one that sweeps use, called in this process: no Ray, no sampler, no tracking.
"""

import statistics
import time

from benchmarks.accelerator.machine import Machine
from benchmarks.home import temporary_home
from benchmarks.report import Report
from podium.core.config import RunConfig
from podium.core.files import write_text
from podium.core.paths import study_dir
from podium.core.states import State
from tuning.search.load import load_space
from tuning.study.files import SPACE_FILE
from tuning.workers.worker import Worker

SPACE = "search_spaces/tiny.yaml"
TRIALS = 5  # that are timed, after one that compiles
REHEARSED = {"train.max_steps": 50, "eval.max_items": 8}


def measure(report: Report, machine: Machine) -> None:
    space = load_space(SPACE)
    base = space.base_config.with_overrides(REHEARSED if machine.is_rehearsal else {})
    with temporary_home():
        folder = study_dir("trials")
        folder.mkdir(parents=True)
        write_text(folder / SPACE_FILE, space.model_copy(update={"base_config": base}).to_yaml())
        worker, seconds, scores = Worker(folder), [], []
        for number in range(1 + (1 if machine.is_rehearsal else TRIALS)):
            config = base.with_overrides({"train.learning_rate": 3e-3 * (1 + number / 10)})
            started_s = time.perf_counter()
            scores.append(_trial(worker, number, config))
            seconds.append(time.perf_counter() - started_s)
    steps = f"{base.train.max_steps} steps and {base.eval.max_items or 'all'} items each"
    report.figure(f"first, {steps}", seconds[0], "s")
    report.figure(f"warm, {steps}", statistics.median(seconds[1:]), "s")
    report.figure("warm worker", 3600 / statistics.median(seconds[1:]), "trials an hour")
    report.figure("scores", "  ".join(f"{score:.1f}" for score in scores))


def _trial(worker: Worker, number: int, config: RunConfig) -> float:
    """Train and score a trial; returns its score."""
    worker.attach(number, config, None)
    report = worker.advance(number, config.train.max_steps)
    worker.detach(number)
    if report.state is not State.COMPLETE:
        raise SystemExit(f"trial {number}: {report.state.value}: {report.reason}")
    return report.metrics["dev/answer_correctness"]
