"""What passes through Ray Tune: a job on its way to a trial, a report on its way back. Both travel as one JSON text.

Tune copies, flattens and prints a trial's config and results again and again; one string it leaves alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.records import Record, Report
from podium.core.states import State


class Job(Record):
    """One trial to run. It is the trial's Tune config."""

    number: int
    config: RunConfig
    report_every_steps: int
    metric: str
    protected: bool  # the scheduler never stops it
    reports: dict[int, float]  # of an earlier sweep: step -> metric
    last_report: Report | None = None  # of that sweep, which may have ended before it was acted upon
    # Of a part of a population's trial: where it begins and ends, and what it then leaves for those that copy it.
    start: int = 0
    end: int | None = None
    checkpoint: Path | None = None  # to begin with, instead of the trial's own newest
    pointer: Path | None = None  # file to be written, that says where its checkpoint is

    @property
    def first_step(self) -> int:
        """Where it stands as far as anyone heard."""
        return max([self.start, *self.reports, self.last_report.step if self.last_report else 0])

    def has_come_to_its_end(self, report: Report) -> bool:
        """Whether the report is that of the end of a part, and of no trial."""
        return self.end is not None and report.state is State.RUNNING and report.step >= self.end

    def result(self, report: Report) -> dict[str, Any]:
        return to_result(report, self.metric, is_last=self.has_come_to_its_end(report))

    def to_config(self) -> dict[str, str]:
        return {"job": self.model_dump_json()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Job":
        return cls.model_validate_json(config["job"])

    def next_report(self, step: int) -> int:
        """The step of the report after `step`: a multiple of `report_every_steps`, or the last step."""
        following = (step // self.report_every_steps + 1) * self.report_every_steps
        return min(following, self.config.train.max_steps)


def to_result(report: Report, metric: str, is_last: bool = False) -> dict[str, Any]:
    """A Tune result: what its schedulers read (step, metric, done), and the report itself."""
    done = is_last or report.state.is_final
    result: dict[str, Any] = {"step": report.step, "done": done, "report": report.model_dump_json()}
    if metric in report.metrics:
        result[metric] = report.metrics[metric]
    return result


def read_report(result: Mapping[str, Any]) -> Report:
    return Report.model_validate_json(result["report"])


def out_of_time(limit_s: float, killed: bool = False) -> Report:
    """Of a trial that ran for longer than it may; `killed` says that its worker had to be."""
    how = "; its worker did not end it when asked to, and was killed" if killed else ""
    reason = f"it ran for longer than trial_timeout_s={limit_s:g}{how}"
    return Report(step=0, state=State.FAILED, metrics={}, reason=reason)
