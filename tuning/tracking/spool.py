"""What happened to a trial, a line each in its folder's events.jsonl: what MLflow is written from, now or later.

The driver appends before MLflow is asked for anything, so nothing waits for a server and nothing is lost with one.
"""

import time
from collections.abc import Mapping
from typing import Any

from podium.core.run_files import METRICS
from trainer.run.metrics_log import MetricsLog
from tuning.study.events import Event
from tuning.study.files import EVENTS_FILE
from tuning.study.trial import TrialView
from tuning.tracking.store import Point

LOGGED = {"loss": "train/loss", "learning_rate": "train/learning_rate"}  # in metrics.jsonl -> in MLflow
RENAMED = {"peak_memory_gb": "system/peak_memory_gb"}  # where MLflow's pages look for system metrics


def append(event: Event) -> None:
    """Raises OSError or PodiumError when the disk refuses it."""
    report = event.report
    line: dict[str, Any] = {"event": event.kind, "time_ms": now_ms(), "state": event.trial.state}
    if report:
        line |= {"step": report.step, "elapsed_s": report.elapsed_s, "compile_s": report.compile_s}
        line["metrics"] = report.metrics
    event.trial.dir.mkdir(parents=True, exist_ok=True)
    MetricsLog(event.trial.dir / EVENTS_FILE).append(line)


def points(trial: TrialView) -> list[Point]:
    """Every point of the trial by step, each once: the first report of a step counts.

    They come from events.jsonl, the reports and mutations on Optuna's record, and the steps that the trainer logged.
    The study's metric comes first, since MLflow's plots begin with the metric that a run was given first; so there is
    none before the first report.
    """
    reports = [line for line in events(trial) if "step" in line]
    if not (reports or trial.reports or trial.state.is_final):
        return []
    found: dict[tuple[str, int], tuple[float, int]] = {}
    for line in reports:
        seconds = {"time/elapsed_s": line["elapsed_s"], "time/compile_s": line["compile_s"]}
        for name, value in {**line["metrics"], **seconds}.items():
            found.setdefault((RENAMED.get(name, name), line["step"]), (value, line["time_ms"]))
    for step, value in trial.reports.items():
        found.setdefault((trial.space.metric, step), (value, now_ms()))
    for name, value in trial.values.items():  # some objectives follow from the reports
        found.setdefault((RENAMED.get(name, name), trial.step), (value, now_ms()))
    for mutation in trial.lineage.mutations:
        for name, value in {"donor": mutation.donor, **mutation.overrides}.items():
            if isinstance(value, int | float):
                found.setdefault((f"pbt/{name}", mutation.step), (value, now_ms()))
    for line in MetricsLog(trial.dir / METRICS).lines():
        for name, value in _logged(line):
            found.setdefault((name, line["step"]), (value, _time_of(line, reports)))
    metric = trial.space.metric
    ordered = sorted(found.items(), key=lambda item: (item[0][0] != metric, item[0][1]))
    return [(name, float(value), step, time_ms) for (name, step), (value, time_ms) in ordered]


def logged_points(lines: list[dict[str, Any]]) -> list[Point]:
    """Lines of a metrics.jsonl that no reports go with."""
    return [(name, value, int(line["step"]), now_ms()) for line in lines for name, value in _logged(line)]


def events(trial: TrialView) -> list[dict[str, Any]]:
    return MetricsLog(trial.dir / EVENTS_FILE).lines()


def span_ms(trial: TrialView) -> tuple[int, int]:
    """When the trial was first and last heard of."""
    times = [line["time_ms"] for line in events(trial)] or [now_ms()]
    return times[0], times[-1]


def now_ms() -> int:
    return int(time.time() * 1000)


def _logged(line: Mapping[str, Any]) -> list[tuple[str, float]]:
    return [(name, float(line[key])) for key, name in LOGGED.items() if line.get(key) is not None]


def _time_of(line: Mapping[str, Any], reports: list[dict[str, Any]]) -> int:
    """When a step was logged: as long before the next report as their elapsed times say."""
    for report in reports:
        if report["step"] >= line["step"] and "elapsed_s" in line:
            return int(report["time_ms"] - 1000 * max(0.0, report["elapsed_s"] - line["elapsed_s"]))
    return now_ms()
