"""The lines that `podium promote` prints about a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from podium.core.wording import counted

if TYPE_CHECKING:
    from podium.core.promotion import Contender, Decision


def decision_lines(decision: Decision) -> list[str]:
    """What was compared, a line per configuration, and the verdict."""
    groups = "" if decision.n_clusters == decision.n_items else f" in {counted(decision.n_clusters, 'group')}"
    low, high = decision.interval
    return [
        f"holdout: {counted(decision.n_items, 'item')}{groups}, look {decision.looks} at it",
        _line(decision.reference),
        *map(_line, decision.candidates),
        f"verdict: {decision.verdict}. {decision.reason}",
        f"expected score of {decision.winner}: {decision.expected_score:.1f} ({low:.1f} to {high:.1f})"
        f"{_gap(decision.winners_curse_gap)}",
        f"probability that it is no better than {decision.reference.label}: {_percent(decision.p_worse)}",
    ]


def _line(one: Contender) -> str:
    """`trial 7: 61.2 with 3 seeds, 64.5 in the sweep; gain +3.1 (+1.0 to +5.2)`."""
    text = f"  {one.label}: {one.score:.1f} with {counted(len(one.seeds), 'seed')}"
    if one.sweep_score is not None:
        text += f", {one.sweep_score:.1f} in the sweep"
    if one.gain is None or one.gain_interval is None:
        return text
    low, high = one.gain_interval
    return f"{text}; gain {one.gain:+.1f} ({low:+.1f} to {high:+.1f})"


def _percent(probability: float) -> str:
    """To a tenth of a percent; never 0."""
    return f"{100 * probability:.1f}%" if probability >= 0.0005 else "below 0.1%"


def _gap(gap: float | None) -> str:
    if gap is None:
        return ""
    return f"; its sweep score is {abs(gap):.1f} points {'above' if gap > 0 else 'below'} its holdout score"
