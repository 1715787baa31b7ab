"""Run a lock once: check, claim, train, predict, score, and write the evidence; continue after an interruption.

Works without Ray, Optuna and MLflow, as on a Kaggle image without internet access.
"""

import contextlib
from collections.abc import Iterator

from podium.core.clock import DatedClock, Moment, MonotonicClock
from podium.core.duration import format_duration
from podium.core.errors import UsageError
from podium.core.paths import submission_dir
from podium.submission.attempt import Attempt, open_attempt
from podium.submission.claim import held, refuse_claimed
from podium.submission.lock import Lock, read_lock
from podium.submission.manifest import RunManifest
from podium.submission.preflight import Preflight
from podium.submission.session import Session
from podium.submission.time_plan import TimePlan
from podium.submission.unlabelled import find_unlabelled
from trainer.programs.library import ProgramLibrary


def submit(
    name: str,
    *,
    resume: bool = False,
    test: str | None = None,
    accept: tuple[str, ...] = (),
    library: ProgramLibrary | None = None,
    clock: DatedClock | None = None,
) -> RunManifest:
    """Run the lock of submission `name`, once; or with `resume`, continue its one attempt after an interruption.

    With `test`, the unlabelled items in this file are answered instead of the evalset, and there is no score. `accept`
    names rules of the competition that the user chooses to break, which the claim records.

    Raises:
        UsageError, PodiumError: there is no lock, a check before the claim failed, the run was already claimed, or
            there is nothing to resume; nothing was written.
        RunEnded: the run was claimed and did not complete; exit code 1, or 130 after Ctrl-C, 143 after
            SIGTERM and 129 after SIGHUP.
    """
    clock = clock or MonotonicClock()
    opened = clock.moment()  # hashing and start-up count against the time budget
    lock = read_lock(name)
    library = library or ProgramLibrary()
    opening = (
        _resumed(lock, test, library, clock, opened) if resume else _first(lock, test, accept, library, clock, opened)
    )
    with opening as session:
        return session.run_to_end()


@contextlib.contextmanager
def _first(
    lock: Lock, test: str | None, accept: tuple[str, ...], library: ProgramLibrary, clock: DatedClock, opened: Moment
) -> Iterator[Session]:
    """Check everything, then claim the lock. The command began at `opened`."""
    out = submission_dir(lock.name)
    refuse_claimed(out)
    file = None if test is None else find_unlabelled(test)
    checks = Preflight(lock, lock.run_config(), library, file, accept=accept).run()
    _refuse_no_time(lock, clock.moment().monotonic_s - opened.monotonic_s)
    attempt = Attempt.begin(out, lock.lock_id, clock, opened, file, checks.accepted)
    with held(out):
        yield Session(lock, checks, attempt, opened_s=opened.monotonic_s)


@contextlib.contextmanager
def _resumed(
    lock: Lock, test: str | None, library: ProgramLibrary, clock: DatedClock, opened: Moment
) -> Iterator[Session]:
    """Check everything, then continue the attempt."""
    out = submission_dir(lock.name)
    claim, _ = open_attempt(out, lock.lock_id)
    if test is not None and find_unlabelled(test) != claim.test:
        began = f"--test {claim.test.path}" if claim.test else "the evalset"
        raise UsageError(f"submission {lock.name!r}: --test {test}: the attempt began with {began}; leave --test out")
    with held(out):
        checks = Preflight(lock, lock.run_config(), library, claim.test, is_resumed=True).run()
        attempt, notes = Attempt.resume(out, clock, opened)
        yield Session(lock, checks, attempt, notes, opened.monotonic_s)


def _refuse_no_time(lock: Lock, elapsed_s: float) -> None:
    """Raises UsageError if the time before the claim left none for training."""
    budget = lock.budget
    if elapsed_s >= TimePlan(budget.time_budget_s, budget.reserve_s).training_ends_s:
        raise UsageError(
            f"submission {lock.name!r}: the set-up took {format_duration(elapsed_s)}, which leaves no time for "
            f"training in the budget of {format_duration(budget.time_budget_s)} with a reserve of "
            f"{format_duration(budget.reserve_s)}; raise budget.time_budget_s and promote again under another name"
        )
