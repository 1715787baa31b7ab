"""The bridge for fixed jobs: Tune runs them round by round, and no sampler proposes anything."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from podium.core.records import Report
from tuning.protocol import Job, read_report
from tuning.study.files import stop_file

NextRound = Callable[[], Sequence[Job]]
Ended = Callable[[int, Report | None], None]


class RoundsBridge(Searcher):  # type: ignore[misc]
    """Gives Tune the jobs of one round after another.

    `next_round` is called when all jobs of the round before have ended; no job ends the sweep. `ended` gets the number
    of each job that has ended and its last report, None if its clients died.
    """

    def __init__(self, folder: Path, next_round: NextRound, ended: Ended, n_jobs: int) -> None:
        """`n_jobs` is how many jobs there can be in all rounds together."""
        super().__init__(metric="step", mode="max")
        self._folder, self._next_round, self._ended = folder, next_round, ended
        self._waiting = deque(next_round())
        self.n_jobs, self.n_initial_jobs = n_jobs, len(self._waiting)
        self.confirm_failure: Callable[[bool], None] = lambda _: None  # as that of OptunaBridge
        self._running: dict[str, int] = {}  # Tune's trial id -> number of the job

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next job of the round; None while others of the round run; FINISHED at the end."""
        if stop_file(self._folder).exists():
            return str(Searcher.FINISHED)
        if not self._waiting and not self._running:
            self._waiting.extend(self._next_round())
        if not self._waiting:
            return None if self._running else str(Searcher.FINISHED)
        job = self._waiting.popleft()
        self._running[trial_id] = job.number
        return job.to_config()

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Does nothing: what counts is how a job ends."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if trial_id not in self._running:
            return
        report = read_report(result) if result and not error else None
        if report is None:
            self.confirm_failure(True)
        self._ended(self._running.pop(trial_id), report)

    def save(self, checkpoint_path: str) -> None:
        """Does nothing: the runs' folders hold everything."""

    def restore(self, checkpoint_path: str) -> None:
        """Does nothing, as `save`."""

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles its searcher with its own records, which are never read
