"""When a sweep has seen enough: a target reached, or nothing better for a while."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from podium.core.config_sections import Section
from podium.core.states import State
from tuning.objectives import signed

if TYPE_CHECKING:
    from tuning.study import TrialView

UNFINISHED = (State.RUNNING, State.STOPPED)


class StopRule(Section):
    """Whichever comes first; the number of trials and the time budget end a sweep as well."""

    target: float | None = Field(None, description="end once a complete trial is as good as this")
    patience: int | None = Field(None, ge=1, description="end once so many trials after the best were no better")

    def reason(self, trials: Iterable["TrialView"]) -> str | None:
        """Why a study with these trials has seen enough; None while it has not."""
        if self.target is None and self.patience is None:  # else each trial that ends costs a look at all before it
            return None
        ended = [trial for trial in trials if trial.state not in UNFINISHED]
        best = best_of(ended)
        if best is None or best.value is None:
            return None
        sign = direction_sign(best)
        if self.target is not None and sign * best.value >= sign * self.target:
            return f"trial {best.number} has {best.value:g}, and the target was {self.target:g}"
        since = sum(trial.number > best.number for trial in ended)
        if self.patience is not None and since >= self.patience:
            return f"{since} trials after trial {best.number} were no better, and the patience was {self.patience}"
        return None


def best_of(trials: Iterable["TrialView"]) -> "TrialView | None":
    """The complete trial with the best value; of equals the one that other objectives favour, then the first."""
    complete = [trial for trial in trials if trial.value is not None]
    return max(complete, key=lambda trial: (signed(trial), -trial.number), default=None)


def direction_sign(trial: "TrialView") -> int:
    return 1 if trial.space.direction == "maximize" else -1
