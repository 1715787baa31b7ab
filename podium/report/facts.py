"""What a report says, from the files of a study and of the submissions that came from it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from eval.compare import Comparison, Pairing
from eval.compare_predictions import compare_predictions
from eval.scorecard import floored
from podium.core.budgets.ledger import read_ledger
from podium.core.duration import format_duration
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json
from podium.core.paths import home, portable, study_dir, submission_dir
from podium.core.redaction import shortened
from podium.core.run_files import CLAIM, LOCK, MANIFEST, SUMMARY
from podium.core.states import State
from podium.core.wording import counted
from podium.runs import find_predictions
from podium.submission.kaggle.exported import export_path
from podium.submission.lock import Lock, check_lock
from podium.submission.packaging.members import PackageManifest
from podium.submission.packaging.package import package_path
from podium.submission.verification.folder import verify_folder
from tuning.search.labels import params_label
from tuning.study.data import FUNCTION
from tuning.study.overview import steps
from tuning.study.study import StudyView, load_study
from tuning.study.trial import TrialView

MOST_TRIALS, MOST_ITEMS = 20, 20


@dataclass(frozen=True)
class Run:
    """A submission that came from the study."""

    lock: Lock
    state: str  # such as complete, or `not run`
    score: str | None
    verified: str  # the last line of `podium verify`, or why it was not


@dataclass(frozen=True)
class Report:
    """Everything that the page shows. `comparison`: the best trial against the base config, on the dev split."""

    study: StudyView
    best: TrialView | None
    baseline: TrialView | None
    comparison: Comparison | None
    no_comparison: str | None  # why there is none
    runs: tuple[Run, ...]
    quota: str | None

    @property
    def pairing(self) -> Pairing | None:
        return self.comparison.pairings[0] if self.comparison else None

    @property
    def decided(self) -> Lock | None:
        """The newest lock with a decision of the gate."""
        return next((run.lock for run in reversed(self.runs) if run.lock.decision is not None), None)

    @property
    def next_command(self) -> str:
        """What is to be done now."""
        if self.best is None:
            return self.study.command
        if FUNCTION in self.study.data:  # of the user's own, which no lock could run
            return f"podium show {self.study.name}/{self.best.number}"
        if not self.runs:
            return f"podium promote {self.study.name} --as NAME"
        return _next_of(self.runs[-1])

    @property
    def ranking(self) -> Sequence[TrialView]:
        """The complete trials, best first."""
        sign = 1 if self.study.space.direction == "maximize" else -1
        complete = [trial for trial in self.study.trials if trial.value is not None]
        return sorted(complete, key=lambda trial: (-sign * (trial.value or 0.0), trial.number))[:MOST_TRIALS]

    @property
    def states(self) -> dict[str, int]:
        return dict(sorted(Counter(str(trial.state) for trial in self.study.trials).items()))

    @property
    def failures(self) -> list[tuple[str, str, list[int]]]:
        """(state, reason, numbers of the trials) of what neither completed nor was stopped early."""
        found: dict[tuple[str, str], list[int]] = {}
        for trial in self.study.trials:
            if trial.state not in (State.COMPLETE, State.PRUNED, State.RUNNING):
                why = shortened(trial.reason or "no reason recorded", 300)
                found.setdefault((str(trial.state), why), []).append(trial.number)
        return [(state, reason, numbers) for (state, reason), numbers in sorted(found.items())]

    @property
    def time(self) -> str:
        """How long the last sweep took, and what early stopping saved."""
        summary, counts = self.study.summary, steps(self.study)
        total = counts["steps_run"] + counts["steps_saved"]
        saved = f"early stopping saved {counts['steps_saved']} of {counted(total, 'step')}"
        if not isinstance(took := summary.get("wall_s"), float):
            return saved
        workers = counted(len(summary.get("workers", ())), "worker")
        return f"{format_duration(took)} on {workers} in the last sweep; {saved}"

    @property
    def changed_items(self) -> list[Any]:
        """The items that the best trial fixed or broke, broken ones first."""
        if self.comparison is None:
            return []
        changed = [item for item in self.comparison.items if item.verdicts[0] in ("fixed", "broken")]
        return sorted(changed, key=lambda item: item.verdicts[0] != "broken")[:MOST_ITEMS]


def collect(what: str) -> Report:
    """The report of a study, or of the study of a submission.

    Raises:
        UsageError: there is neither a study nor a submission of that name.
    """
    name = check_lock(submission_dir(what) / LOCK).study if _is_submission(what) else what
    study = load_study(name)
    best = _best(study)
    baseline = next((trial for trial in study.trials if trial.baseline and trial.value is not None), None)
    comparison, why = _compared(study, best, baseline)
    return Report(study, best, baseline, comparison, why, tuple(_runs(name)), _quota(name))


def _best(study: StudyView) -> TrialView | None:
    return study.best() if any(trial.value is not None for trial in study.trials) else None


def _is_submission(name: str) -> bool:
    return not study_dir(name).is_dir() and (submission_dir(name) / LOCK).is_file()


def _compared(
    study: StudyView, best: TrialView | None, baseline: TrialView | None
) -> tuple[Comparison | None, str | None]:
    """The best trial against the base config, item by item; or why they cannot be compared."""
    if best is None:
        return None, "no trial is complete"
    if baseline is None:
        return None, "the base config was not a trial of this study"
    if best is baseline:
        return None, "the base config is the best trial"
    try:
        sources = [find_predictions(f"{study.name}/{trial.number}") for trial in (baseline, best)]
        return compare_predictions(sources, "dev")[0], None
    except PodiumError as error:
        return None, str(error)


def _runs(study: str) -> Iterator[Run]:
    """The submissions of a study, oldest first."""
    locks = []
    for path in (home() / "submission_runs").glob(f"*/{LOCK}"):
        try:
            locks.append(check_lock(path))
        except UsageError:
            continue  # `podium verify` says what is wrong with it
    for lock in sorted(locks, key=lambda lock: lock.created_at):
        if lock.study == study:
            yield _run(lock)


def _run(lock: Lock) -> Run:
    folder = submission_dir(lock.name)
    if not (folder / MANIFEST).is_file():
        return Run(lock, "not run", None, "there is nothing to verify yet")
    state = str(read_json(folder / MANIFEST)["state"])
    score = None
    if state == "complete":
        summary = read_json(folder / SUMMARY)
        values = {**summary["scorecard"], **summary["metrics"]}
        score = f"{floored(values['answer_correctness'])} on {values['n_scored']} of {values['n_items']} items"
    report = verify_folder(folder)
    n = len(report.checks)
    return Run(lock, state, score, f"verifies: {counted(n, 'check')}" if report.passed else "; ".join(report.problems))


def _next_of(run: Run) -> str:
    name, folder = run.lock.name, submission_dir(run.lock.name)
    if run.state == State.COMPLETE:
        claimed_on = str(read_json(folder / MANIFEST)["claimed_at"])[:10]
        package = package_path(PackageManifest(name=name, date=claimed_on, lock_id=run.lock.lock_id, files={}))
        return f"podium verify {portable(package)}" if package.is_file() else f"podium package {name}"
    if export_path(name).is_file():
        return f"podium kaggle status {name}"
    return f"podium submit {name}{' --resume' if (folder / CLAIM).is_file() else ''}"


def _quota(study: str) -> str | None:
    """The quota-seconds of the study's sweeps by the ledger; None if none was metered."""
    entries = [entry for entry in read_ledger().entries if entry.name == study and entry.quota_s]
    newest = {entry.run: entry.quota_s for entry in entries}
    return format_duration(sum(newest.values())) if newest else None


def label(trial: TrialView) -> str:
    return "the base config" if trial.baseline else params_label(trial.newest_overrides)
