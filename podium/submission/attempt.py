"""The one attempt at a lock, over all its sessions: its claim, its phases and its time.

A session is one process. A process that is killed ends its session, and `podium submit NAME --resume` begins the next
one of the same attempt.
"""

from pathlib import Path
from typing import Any

from podium.core.clock import DatedClock, Deadline, Gap, Moment, gap_between
from podium.core.duration import format_duration
from podium.core.errors import UsageError
from podium.core.run_files import MANIFEST
from podium.submission.claim import Claim, UnlabelledFile, claim_run, read_claim, refuse_claimed, utc_now
from podium.submission.journal import Entry, Journal, Phase
from podium.submission.manifest import read_manifest
from podium.submission.time_plan import TimePlan

MARK_S = 60.0  # at most this much of a session's time is lost if the machine restarts with its clock set back


class Attempt:
    """A claimed run in one session. Its time counts from the start of the first command, interruptions included."""

    def __init__(self, run_dir: Path, claim: Claim, clock: DatedClock, start_s: float, session: int) -> None:
        """`start_s` is the attempt's start on `clock`, which may be before this process began."""
        self.claim, self.clock, self.session = claim, clock, session
        self._journal, self._start_s = Journal(run_dir), start_s

    @classmethod
    def begin(
        cls,
        run_dir: Path,
        lock_id: str,
        clock: DatedClock,
        opened: Moment,
        test: UnlabelledFile | None,
        accepted: dict[str, str] | None = None,
        claim_id: str | None = None,
    ) -> "Attempt":
        """Claim the lock. The command began at `opened`. Raises UsageError if it was already claimed."""
        now = clock.moment()
        elapsed_s = now.monotonic_s - opened.monotonic_s
        claim = claim_run(run_dir, lock_id, now, elapsed_s, test, accepted, claim_id=claim_id)
        attempt = cls(run_dir, claim, clock, opened.monotonic_s, session=1)
        attempt.enter(Phase.CLAIMED)
        return attempt

    @classmethod
    def resume(cls, run_dir: Path, clock: DatedClock, opened: Moment) -> tuple["Attempt", list[str]]:
        """Continue the attempt in another session, and say what was found. Raises UsageError as `open_attempt` does."""
        claim, journal = open_attempt(run_dir)
        notes = [repaired] if (repaired := journal.repair()) else []
        if not journal.entries:  # interrupted before its first line
            journal.append(_first_entry(claim))
        newest = journal.newest
        gap = gap_between(newest.moment, opened)
        start_s = opened.monotonic_s - newest.elapsed_s - gap.seconds
        if newest.phase is Phase.FINISHED:  # only its manifest is missing
            return cls(run_dir, claim, clock, start_s, newest.session), notes
        attempt = cls(run_dir, claim, clock, start_s, newest.session + 1)
        attempt.enter(newest.phase, **_facts_of(gap))
        return attempt, [*notes, _described(attempt, gap)]

    @property
    def newest(self) -> Entry:
        return self._journal.newest

    @property
    def phase(self) -> Phase:
        return self.newest.phase

    @property
    def interruptions(self) -> int:
        return self.session - 1

    def fact(self, name: str) -> Any:
        """The newest value of a fact that `enter` was given; None if it never was."""
        return next((entry.facts[name] for entry in reversed(self._journal.entries) if name in entry.facts), None)

    def down_s(self, phase: Phase) -> float:
        """How long the interruptions in `phase` were."""
        return sum(float(entry.facts.get("down_s", 0.0)) for entry in self._journal.entries if entry.phase is phase)

    def enter(self, phase: Phase, **facts: Any) -> None:
        """Record that the attempt is in `phase`. Raises PodiumError if the disk refuses the line."""
        moment = self.clock.moment()
        entry = Entry(
            phase=phase,
            session=self.session,
            at=utc_now(),
            elapsed_s=round(moment.monotonic_s - self._start_s, 3),
            moment=moment,
            facts=facts,
        )
        self._journal.append(entry)

    def mark(self) -> None:
        """Record that the attempt is still running, if the newest line is older than MARK_S."""
        if self.elapsed_s() - self.newest.elapsed_s >= MARK_S:
            self.enter(self.phase)

    def elapsed_s(self) -> float:
        return self.clock.now() - self._start_s

    def deadline(self, plan: TimePlan, ends_s: float) -> Deadline:
        """The deadline `ends_s` seconds after the attempt's start."""
        return Deadline(self.clock, self._start_s, plan.budget_s, plan.budget_s - ends_s)


def open_attempt(run_dir: Path, lock_id: str | None = None) -> tuple[Claim, Journal]:
    """The claim and the journal of an attempt that can be continued. Changes nothing.

    Raises:
        UsageError: it was not claimed, is over, belongs to another lock, or its claim or journal is damaged.
    """
    name, claim = run_dir.name, read_claim(run_dir)
    if claim.exported_to:
        refuse_claimed(run_dir)
    if claim.claim_id is None:
        raise UsageError(
            f"submission {name!r}: claimed {claim.claimed_at} by an older version of Podium, whose runs cannot be "
            "resumed; promote again under another name"
        )
    if lock_id is not None and claim.lock_id != lock_id:
        raise UsageError(
            f"submission {name!r}: the claim of {claim.claimed_at} belongs to another lock "
            f"({claim.lock_id[:12]}, here is {lock_id[:12]}); restore lock.json or claim.json"
        )
    journal = Journal(run_dir)
    if journal.entries and journal.newest.phase.is_over and not _lacks_manifest(run_dir, journal.newest.phase):
        reason = journal.newest.facts.get("reason")
        why = f": {reason}" if reason else ""
        raise UsageError(
            f"submission {name!r} {journal.newest.phase} at {journal.newest.at}{why}; there is nothing to resume"
        )
    return claim, journal


def _lacks_manifest(run_dir: Path, phase: Phase) -> bool:
    """Whether the attempt was killed after its last phase, and before its manifest was written."""
    path = run_dir / MANIFEST
    return phase is Phase.FINISHED and not (path.is_file() and read_manifest(path).has_evidence)


def _first_entry(claim: Claim) -> Entry:
    assert claim.moment is not None and claim.elapsed_s is not None  # a claim with an id has both
    return Entry(phase=Phase.CLAIMED, session=1, at=claim.claimed_at, elapsed_s=claim.elapsed_s, moment=claim.moment)


def _facts_of(gap: Gap) -> dict[str, Any]:
    facts: dict[str, Any] = {"down_s": round(gap.seconds, 3), "restarted": gap.restarted}
    return {**facts, "clock_set_back_s": round(gap.set_back_s, 3)} if gap.set_back_s else facts


def _described(attempt: Attempt, gap: Gap) -> str:
    """Such as: resumed in phase training: interruption 1, 12 s long; the machine was started again."""
    text = (
        f"resumed in phase {attempt.phase}: interruption {attempt.interruptions}, {format_duration(gap.seconds)} long"
    )
    if gap.restarted:
        text += "; the machine was started again"
    if gap.set_back_s:
        counted = "its time counts as none" if gap.restarted else "the time since then is known from another clock"
        text += f"; the clock was set back by {format_duration(gap.set_back_s)}, {counted}"
    return text
