"""A trial's events, one line each in the events.jsonl of its folder. MLflow is written from this file.

The driver appends to it before it calls MLflow, so a sweep never waits for a server and loses nothing if one is down.
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

LOGGED = {"loss": "train/loss", "learning_rate": "train/learning_rate"}  # name in metrics.jsonl -> name in MLflow
REPORTED = {"step", "elapsed_s", "compile_s", "metrics"}  # of an event with a report
RENAMED = {"peak_memory_gb": "system/peak_memory_gb"}  # MLflow's pages show system metrics under this prefix


def append(event: Event) -> None:
    """Append a line. Raises OSError or PodiumError if it cannot be written."""
    report = event.report
    line: dict[str, Any] = {"event": event.kind, "time_ms": now_ms(), "state": event.trial.state}
    if report:
        line |= {"step": report.step, "elapsed_s": report.elapsed_s, "compile_s": report.compile_s}
        line["metrics"] = report.metrics
    event.trial.dir.mkdir(parents=True, exist_ok=True)
    MetricsLog(event.trial.dir / EVENTS_FILE).append(line)


def points(trial: TrialView) -> list[Point]:
    """The metrics of the trial by step, each once: the first report of a step counts.

    They come from events.jsonl, the reports and mutations in Optuna's storage, and the trainer's metrics.jsonl. The
    study's metric comes first, because MLflow's plots begin with the first metric of a run; therefore the list is empty
    before the first report.
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
    for name, value in trial.values.items():  # some objectives are computed at the trial's end
        found.setdefault((RENAMED.get(name, name), trial.step), (value, now_ms()))
    for mutation in trial.lineage.mutations:
        for name, value in {"donor": mutation.donor, **mutation.overrides}.items():
            if isinstance(value, int | float):
                found.setdefault((f"pbt/{name}", mutation.step), (value, now_ms()))
    for line in MetricsLog(trial.dir / METRICS).lines():
        for name, value in _logged(line):
            found.setdefault((name, line["step"]), (value, _time_of(line, reports)))
    for name, value in trial.untrained.items():
        found.setdefault((RENAMED.get(name, name), 0), (value, reports[0]["time_ms"] if reports else now_ms()))
    metric = trial.space.metric
    ordered = sorted(found.items(), key=lambda item: (item[0][0] != metric, item[0][1]))
    return [(name, float(value), step, time_ms) for (name, step), (value, time_ms) in ordered]


def logged_points(lines: list[dict[str, Any]], time_ms: int) -> list[Point]:
    """The points of a metrics.jsonl that has no reports beside it, all with the same time."""
    return [(name, value, int(line["step"]), time_ms) for line in lines for name, value in _logged(line)]


def events(trial: TrialView) -> list[dict[str, Any]]:
    """The trial's events, without those that are damaged."""
    lines = MetricsLog(trial.dir / EVENTS_FILE).lines()
    return [line for line in lines if "time_ms" in line and ("step" not in line or line.keys() >= REPORTED)]


def span_ms(trial: TrialView) -> tuple[int, int]:
    """The times of the trial's first and last event."""
    times = [line["time_ms"] for line in events(trial)] or [now_ms()]
    return times[0], times[-1]


def now_ms() -> int:
    return int(time.time() * 1000)


def _logged(line: Mapping[str, Any]) -> list[tuple[str, float]]:
    return [(name, float(line[key])) for key, name in LOGGED.items() if line.get(key) is not None]


def _time_of(line: Mapping[str, Any], reports: list[dict[str, Any]]) -> int:
    """The time at which a step was logged, from the next report and the difference of their elapsed times."""
    for report in reports:
        if report["step"] >= line["step"] and "elapsed_s" in line:
            return int(report["time_ms"] - 1000 * max(0.0, report["elapsed_s"] - line["elapsed_s"]))
    return now_ms()
