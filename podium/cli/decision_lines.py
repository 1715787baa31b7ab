"""The lines that `podium promote` prints about a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.scorecard import at_most_text, percent_text, points_text
from podium.core.wording import counted

if TYPE_CHECKING:
    from podium.core.promotion import Contender, Decision


def decision_lines(decision: Decision) -> list[str]:
    """What was compared, a line per configuration, and the verdict."""
    groups = "" if decision.n_clusters == decision.n_items else f" in {counted(decision.n_clusters, 'group')}"
    low, high = map(points_text, decision.interval)
    return [
        f"holdout: {counted(decision.n_items, 'item')}{groups}, look {decision.looks} at it",
        _line(decision.reference),
        *map(_line, decision.candidates),
        f"verdict: {decision.verdict}. {decision.reason}",
        f"expected score of {decision.winner}: {points_text(decision.expected_score)} ({low} to {high})"
        f"{_gap(decision.winners_curse_gap)}",
        f"probability that it is no better than {decision.reference.label}: {percent_text(decision.p_worse)}",
    ]


def _line(one: Contender) -> str:
    """`trial 7: 61.2 with 3 seeds, 64.5 in the sweep; gain +3.1 (+1.0 to +5.2)`."""
    text = f"  {one.label}: {points_text(one.score)} with {counted(len(one.seeds), 'seed')}"
    if one.sweep_score is not None:
        text += f", {points_text(one.sweep_score)} in the sweep"
    if one.gain is None or one.gain_interval is None:
        return text
    gain, low, high = (points_text(points, signed=True) for points in (one.gain, *one.gain_interval))
    return f"{text}; gain {gain} ({low} to {high})"


def _gap(gap: float | None) -> str:
    if gap is None:
        return ""
    points = at_most_text(gap).lstrip("-")  # up with its sign: what a sweep promised too much is not understated
    return f"; its sweep score is {points} points {'above' if gap > 0 else 'below'} its holdout score"
