"""The prompts that a model answers: a split of an evalset, or ARC challenges whose solutions are unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.arc.samples import arc_questions
from eval.arc.tasks import load_tasks
from eval.scorers import arc_scorer
from eval.sets.evalset import load_evalset
from podium.core.errors import UsageError
from podium.core.hashing import sha256_file
from podium.core.paths import find_file
from podium.core.records import Prompt, Question


@dataclass(frozen=True)
class PromptSet:
    """Prompts to answer, and the scorer for the answers; `about` describes the set in predictions_meta.json."""

    prompts: Sequence[Prompt]
    label: str
    scorer: str
    about: dict[str, Any]


def evalset_prompts(name: str, split: str, scorer: str | None) -> PromptSet:
    """The prompts of a split of an evalset; `scorer` overrides the evalset's own. Raises UsageError."""
    chosen = load_evalset(name)
    about = {"evalset": {"name": chosen.name, "sha256": chosen.sha256}, "split": split}
    return PromptSet(chosen.split(split), f"{chosen.name} ({split})", chosen.chosen_scorer(scorer), about)


def challenge_prompts(name: str, scorer: str) -> PromptSet:
    """The prompts of every task in a file of ARC challenges; `scorer` is arc_grid or arc_program. Raises UsageError."""
    path = find_file(name)
    about = {"challenges": {"name": path.name, "sha256": sha256_file(path)}}
    return PromptSet(load_challenges(path, scorer), f"{path.name} (no solutions)", scorer, about)


def prompt_set(
    evalset: str | None, challenges: str | None, split: str, scorer: str | None, default_evalset: str
) -> PromptSet:
    """The prompts of `evalset` or `challenges`, whichever is given.

    For challenges without a `scorer`, the scorer of `default_evalset` is used.

    Raises:
        UsageError: both or neither are given, or the file is missing or malformed.
    """
    if evalset is not None and challenges is None:
        return evalset_prompts(evalset, split, scorer)
    if challenges is not None and evalset is None:
        return challenge_prompts(challenges, scorer or load_evalset(default_evalset).scorer)
    given = "both" if evalset is not None else "neither"
    raise UsageError(f"{given} of --evalset and --challenges given; give exactly one of them")


def load_challenges(path: Path, scorer: str) -> list[Question]:
    """One question for each test output of a file of ARC challenges.

    Each asks for a grid if `scorer` is arc_grid, and for a program if it is arc_program.

    Raises:
        UsageError: another scorer, or a malformed file.
    """
    judge = arc_scorer(scorer)
    return arc_questions(load_tasks(path), "arc_grid" if judge.name == "arc_grid" else "arc_program")
