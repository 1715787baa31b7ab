"""When a stop rule ends a study: it has reached its target, or has not improved for a while."""

from collections.abc import Iterable

from tuning.search.stop_rule import StopRule
from tuning.study.trial import UNFINISHED, TrialView, best_of, direction_sign


def stop_reason(rule: StopRule, trials: Iterable[TrialView]) -> str | None:
    """Why the rule ends a study with these trials; None if it does not."""
    if rule.target is None and rule.patience is None:  # avoids a loop over all trials whenever one ends
        return None
    ended = [trial for trial in trials if trial.state not in UNFINISHED]
    best = best_of(ended)
    if best is None or best.value is None:
        return None
    sign = direction_sign(best)
    if rule.target is not None and sign * best.value >= sign * rule.target:
        return f"trial {best.number} has {best.value:g}, and the target was {rule.target:g}"
    since = sum(trial.number > best.number for trial in ended)
    if rule.patience is not None and since >= rule.patience:
        return f"{since} trials after trial {best.number} were no better, and the patience was {rule.patience}"
    return None
