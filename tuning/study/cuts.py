"""How much of a trial was cut: answers that ended at generate.max_new_tokens, prompts and examples that were too long.

A worker reports these counts beside the score, as `podium predict` and `podium train` print them.
"""

from collections.abc import Mapping

from podium.core.wording import counted
from tuning.study.trial import TrialView

N_ANSWERS, N_BY_LENGTH = "dev/n_answers", "dev/n_ended_by_length"  # answers to the dev split; those cut at the end
N_PROMPTS_CUT = "dev/n_prompts_cut"  # prompts that lost their beginning
N_TRUNCATED, N_DROPPED = "train/n_truncated", "train/n_dropped"  # examples cut at the end, and left out
COUNTS = (N_ANSWERS, N_BY_LENGTH, N_PROMPTS_CUT, N_TRUNCATED, N_DROPPED)


def cuts(trial: TrialView) -> dict[str, int]:
    """The counts of the trial's last report, by metric; empty if it has no score or was made before they were kept."""
    return {name: int(trial.metrics[name]) for name in COUNTS} if trial.metrics.keys() >= set(COUNTS) else {}


def cuts_line(trial: TrialView) -> str | None:
    """`its answers: 3 of 40 ended by length, 0 prompts lost their beginning; its trainset: 2 examples cut, 0 left out`;
    None without counts."""
    if not (counts := cuts(trial)):
        return None
    return (
        f"its answers: {_by_length(counts)}, {counted(counts[N_PROMPTS_CUT], 'prompt')} lost their beginning; "
        f"its trainset: {counted(counts[N_TRUNCATED], 'example')} cut, {counts[N_DROPPED]} left out"
    )


def by_length(trial: TrialView) -> str | None:
    """`3 of 40 ended by length`; None if no answer did."""
    counts = cuts(trial)
    return _by_length(counts) if counts.get(N_BY_LENGTH) else None


def _by_length(counts: Mapping[str, int]) -> str:
    return f"{counts[N_BY_LENGTH]} of {counts[N_ANSWERS]} ended by length"
