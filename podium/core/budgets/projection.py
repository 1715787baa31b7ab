"""The time that a submission will take: arithmetic over measured parts. Podium measures them elsewhere."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum

from podium.core.budgets.profiles import HOUR_S, Profile
from podium.core.duration import format_duration
from podium.core.errors import UsageError

TIGHT_SHARE = 0.8  # of a session; a plan that needs more has no room for a machine that is a quarter slower


class Verdict(StrEnum):
    """How a plan compares with the time that there is."""

    FITS = "fits"
    TIGHT = "tight"
    EXCEEDS = "exceeds"


def verdict(total_s: float, limit_s: float) -> Verdict:
    """`exceeds` above the limit, `tight` above TIGHT_SHARE of it, else `fits`. Both in seconds, not rounded."""
    if total_s > limit_s:
        return Verdict.EXCEEDS
    return Verdict.TIGHT if total_s > TIGHT_SHARE * limit_s else Verdict.FITS


@dataclass(frozen=True)
class Parts:
    """The parts of a submission, in wall seconds. A part of 0 was not measured, and is left to the reserve."""

    setup_s: float = 0.0
    compile_s: float = 0.0
    training_s: float = 0.0
    generation_s: float = 0.0
    scoring_s: float = 0.0
    packaging_s: float = 0.0

    @property
    def total_s(self) -> float:
        return math.fsum(getattr(self, part.name) for part in fields(self))

    def scaled(self, factor: float) -> "Parts":
        """The parts on a device that is `factor` times as fast.

        Only training and generation are scaled: the processor and the disk do the rest.
        """
        if not (math.isfinite(factor) and factor > 0):
            raise UsageError(f"device factor {factor:g}, must be > 0: how many times as fast the target is")
        return replace(self, training_s=self.training_s / factor, generation_s=self.generation_s / factor)


@dataclass(frozen=True)
class ItemTimes:
    """The time that answering one item takes, in wall seconds, from the `n` items that were run."""

    mean_s: float
    p95_s: float | None  # None where only the mean was recorded
    n: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "ItemTimes":
        """Raises UsageError if nothing was measured."""
        if not seconds:
            raise UsageError("no item was run, so the time of an answer is not known; give --measure N with N >= 1")
        # Nearest rank, so that the p95 is a time that was seen, and never below the exact quantile.
        rank = math.ceil(0.95 * len(seconds))
        return cls(math.fsum(seconds) / len(seconds), sorted(seconds)[rank - 1], len(seconds))

    def scaled(self, times: float) -> "ItemTimes":
        p95_s = None if self.p95_s is None else self.p95_s * times
        return replace(self, mean_s=self.mean_s * times, p95_s=p95_s)


@dataclass(frozen=True)
class Projection:
    """A submission with `samples` answers per item (or a population of that size) under a profile."""

    samples: int
    item: ItemTimes
    parts: Parts
    verdict: Verdict
    quota_s: float  # quota-seconds
    week_share: float | None  # of the week's quota; None if nothing is metered

    @property
    def total_s(self) -> float:
        return self.parts.total_s


def project(
    parts: Parts,
    item: ItemTimes,
    n_items: int,
    samples: int,
    profile: Profile,
    limit_s: float | None = None,
    *,
    at: int = 1,
) -> Projection:
    """The submission that answers `n_items` items with `samples` answers each.

    `parts`: everything but generation. `item`: the time of an item when it was answered `at` times; it is taken to grow
    in proportion. `limit_s`: the time that the submission has, the profile's session if not given.
    """
    item = item.scaled(samples / at)
    whole = replace(parts, generation_s=item.mean_s * n_items)
    quota_s = whole.total_s * profile.rate
    share = None if profile.week_s is None else quota_s / profile.week_s
    return Projection(samples, item, whole, verdict(whole.total_s, limit_s or profile.session_s), quota_s, share)


def trials_in_the_week(left_s: float, submission_s: float, trial_s: float) -> int:
    """How many trials of `trial_s` fit into what is left of the week once the submission has its share.

    All in quota-seconds.
    """
    return max(0, math.floor((left_s - submission_s) / trial_s)) if trial_s > 0 else 0


def hours(seconds: float) -> str:
    """`6.9 h`, for the time that something takes; `3m 05s` if that is less than a tenth of an hour."""
    return format_duration(seconds) if 0 < seconds < HOUR_S / 10 else f"{seconds / HOUR_S:.1f} h"


def hours_left(seconds: float) -> str:
    """`14.4 h`, for what is left; rounded down, so that it is never more than there is."""
    # A hundredth of a second keeps 51840.0 s, which a sum of floats may miss by a bit, at 14.4 h.
    return f"{math.floor((seconds + 0.01) / HOUR_S * 10) / 10:.1f} h"
