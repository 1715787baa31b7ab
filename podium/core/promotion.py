"""The records of the promotion gate: what was compared, what was decided, and what may be locked."""

from typing import Any, Literal

from podium.core.records import Record
from podium.core.states import State

Verdict = Literal["promote", "do not promote", "unconfirmed"]


class Contender(Record):
    """A configuration in the comparison. Scores, gains and their bounds are points from 0 to 100 on the holdout."""

    label: str  # `trial 7`, `baseline`, or `lock NAME`
    trial: int | None = None
    seeds: tuple[int, ...]  # of its confirmation runs; fewer than others' if it could not win any more
    score: float
    sweep_score: float | None = None  # on dev, when it was chosen
    # Of candidates:
    interval: tuple[float, float] | None = None  # of the score, 95% for all candidates together
    gain: float | None = None  # over the reference
    gain_interval: tuple[float, float] | None = None  # `Decision.alpha` on each side, for all candidates together


class Decision(Record):
    """The result of the comparison on the holdout, and what it rests on."""

    verdict: Verdict
    reason: str
    winner: str  # label of the best candidate
    expected_score: float  # of the winner on other items, without what it owes to having been chosen
    interval: tuple[float, float]  # of that score, 95%
    winners_curse_gap: float | None = None  # its sweep score less its holdout score
    p_worse: float  # the probability that the winner is no better than the reference
    n_items: int
    n_clusters: int  # items and groups of items
    looks: int  # at this holdout so far, this one among them
    alpha: float  # the probability of a false promotion that this look may spend
    detectable_gain: float | None = None  # found with a probability of 80%; absent if the holdout is worn out
    items_needed: int | None = None  # to confirm the winner's gain, if that is unconfirmed and any number would do
    reference: Contender
    candidates: tuple[Contender, ...]


class PromotionRecord(Record):
    """A promoted trial: the result of tuning/promotion.py and the input of podium/submission/lock.py."""

    study: str
    trial: int
    config: dict[str, Any]  # RunConfig, fully resolved
    overrides: dict[str, Any]
    metric: str
    direction: Literal["maximize", "minimize"]
    value: float
    state: State
    # Projected wall seconds of compilation, training and answers, on the machine of the sweep; None in older locks.
    submission_s: float | None = None
    mlflow_run_id: str | None = None  # None if tracking was off or unreachable
    contamination: dict[str, Any] | None = None  # prompts of the evalset that the trainset also has, or nearly
    verdict: Verdict | None = None  # None in locks of older versions
    forced: bool | None = None  # locked against the verdict
    overlap: str | None = None  # why an overlap of trainset and evalset is no reason not to promote
    accepted: dict[str, str] | None = None  # rules of the competition that the user chose to break, and how
    decision: Decision | None = None  # None if nothing was run for it
