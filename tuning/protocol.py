"""The messages that pass through Ray Tune: a job to a trial, and reports back. Each is one JSON string.

Tune copies, flattens and prints a trial's config and results many times; a string costs it nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.records import Record, Report
from podium.core.states import State


class Job(Record):
    """One trial to run, or a part of one. It is the Tune config of the trial."""

    number: int
    config: RunConfig
    report_every_steps: int
    metric: str
    protected: bool  # the scheduler never stops it
    reports: dict[int, float]  # from an earlier sweep: step -> metric
    last_report: Report | None = None  # from an earlier sweep, which may have ended before it acted on the report
    # For a part of a population's trial: its first and last step, and the files by which other members copy it.
    start: int = 0
    end: int | None = None
    checkpoint: Path | None = None  # to start from, instead of the trial's own newest
    pointer: Path | None = None  # file to write at the end of the part, with the path of the checkpoint

    @property
    def last_known_step(self) -> int:
        """The newest step that the driver knows the trial to have reached."""
        return max([self.start, *self.reports, self.last_report.step if self.last_report else 0])

    def ends_part(self, report: Report) -> bool:
        """Whether the report is the last one of a part, while the trial itself continues."""
        return self.end is not None and report.state is State.RUNNING and report.step >= self.end

    def result(self, report: Report) -> dict[str, Any]:
        return to_result(report, self.metric, is_last=self.ends_part(report))

    def to_config(self) -> dict[str, str]:
        return {"job": self.model_dump_json()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Job":
        return cls.model_validate_json(config["job"])

    def next_report(self, step: int) -> int:
        """The step of the report after `step`: a multiple of `report_every_steps`, or the last step."""
        following = (step // self.report_every_steps + 1) * self.report_every_steps
        return min(following, self.config.steps)


def to_result(report: Report, metric: str, is_last: bool = False) -> dict[str, Any]:
    """A Tune result: what Tune's schedulers read (step, metric, done), and the report as JSON."""
    done = is_last or report.state.is_final
    result: dict[str, Any] = {"step": report.step, "done": done, "report": report.model_dump_json()}
    if metric in report.metrics:
        result[metric] = report.metrics[metric]
    return result


def read_report(result: Mapping[str, Any]) -> Report:
    return Report.model_validate_json(result["report"])


def timeout_report(limit_s: float, killed: bool = False) -> Report:
    """The report of a trial that ran for longer than `limit_s`; `killed` if its worker was killed to end it."""
    how = "; its worker did not end it when asked to, and was killed" if killed else ""
    reason = f"it ran for longer than trial_timeout_s={limit_s:g}{how}"
    return Report(step=0, state=State.FAILED, metrics={}, reason=reason)
