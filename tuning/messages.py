"""What passes through Ray Tune: a job on its way to a trial, a report on its way back. Both travel as one JSON text.

Tune copies, flattens and prints a trial's config and results again and again; one string it leaves alone.
"""

from collections.abc import Mapping
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

    @property
    def first_step(self) -> int:
        """Where it stands as far as anyone heard."""
        return max([*self.reports, self.last_report.step if self.last_report else 0])

    def to_config(self) -> dict[str, str]:
        return {"job": self.model_dump_json()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Job":
        return cls.model_validate_json(config["job"])

    def next_report(self, step: int) -> int:
        """The step of the report after `step`: a multiple of `report_every_steps`, or the last step."""
        following = (step // self.report_every_steps + 1) * self.report_every_steps
        return min(following, self.config.train.max_steps)


def to_result(report: Report, metric: str) -> dict[str, Any]:
    """A Tune result: what its schedulers read (step, metric, done), and the report itself."""
    result: dict[str, Any] = {"step": report.step, "done": report.state.is_final, "report": report.model_dump_json()}
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
