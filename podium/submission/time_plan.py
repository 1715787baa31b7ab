"""When each part of an attempt must end, so that predictions, scores and evidence are written before the budget's end.

    start ── training ──┬── generating ──┬── evidence ──┬── reserve ── end of the budget
                 training_ends_s   generating_ends_s    budget_s - reserve_s

Nothing is planned in the reserve: it is there for whatever takes longer than planned.
"""

from dataclasses import dataclass

# Scoring and writing the evidence have this share of the reserve, before the reserve begins.
EVIDENCE_SHARE = 0.1
# Of the time between preparing and evidence, answers get at most this share; training has the rest.
MOST_FOR_GENERATION = 0.5


@dataclass(frozen=True)
class TimePlan:
    """The parts of an attempt, in seconds since its start. `generation_s` is the longest that all answers can take, and
    at `prepared_s` that is known and training can begin."""

    budget_s: float
    reserve_s: float
    generation_s: float = 0.0
    prepared_s: float = 0.0

    @property
    def training_ends_s(self) -> float:
        return self.generating_ends_s - min(self.generation_s, self._most_for_generation_s)

    @property
    def generating_ends_s(self) -> float:
        return max(0.0, self.budget_s - (1 + EVIDENCE_SHARE) * self.reserve_s)

    def generating_ends_after(self, late_s: float) -> float:
        """When generating ends if `late_s` of the reserve were used before, by a stall or an interruption."""
        return max(0.0, min(self.generating_ends_s + late_s, self.budget_s - EVIDENCE_SHARE * self.reserve_s))

    @property
    def may_miss_answers(self) -> bool:
        """Whether the time for all answers, each as long as possible, is more than there is."""
        return self.generation_s > self._most_for_generation_s

    @property
    def _most_for_generation_s(self) -> float:
        return MOST_FOR_GENERATION * max(0.0, self.generating_ends_s - self.prepared_s)
