"""What a model is asked: a split of an evalset, or ARC challenges whose solutions nobody has told us."""

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
from podium.core.records import Asked, Question


@dataclass(frozen=True)
class AskedSet:
    """What is to be answered, and what judges the answers; `about` says so in predictions_meta.json."""

    samples: Sequence[Asked]
    label: str
    scorer: str
    about: dict[str, Any]


def evalset_asked(name: str, split: str, scorer: str | None) -> AskedSet:
    """A split of an evalset; `scorer` in the stead of what the evalset names. Raises UsageError."""
    chosen = load_evalset(name)
    about = {"evalset": {"name": chosen.name, "sha256": chosen.sha256}, "split": split}
    return AskedSet(chosen.split(split), f"{chosen.name} ({split})", chosen.chosen_scorer(scorer), about)


def challenges_asked(name: str, scorer: str) -> AskedSet:
    """All of a file of ARC challenges; `scorer` says whether for grids or programs. Raises UsageError."""
    path = find_file(name)
    about = {"challenges": {"name": path.name, "sha256": sha256_file(path)}}
    return AskedSet(load_challenges(path, scorer), f"{path.name} (no solutions)", scorer, about)


def asked_set(evalset: str | None, challenges: str | None, split: str, scorer: str | None, known: str) -> AskedSet:
    """The one of `evalset` and `challenges` that is given; `known` is the evalset whose scorer counts for challenges
    where none is given. Raises UsageError unless one is given, and is there."""
    if evalset is not None and challenges is None:
        return evalset_asked(evalset, split, scorer)
    if challenges is not None and evalset is None:
        return challenges_asked(challenges, scorer or load_evalset(known).scorer)
    raise UsageError("give one of --evalset and --challenges: what is to be answered")


def load_challenges(path: Path, scorer: str) -> list[Question]:
    """What a competition's challenges ask, one item per test output; `scorer` says for what: a grid or a program.

    Raises:
        UsageError: a scorer that is not one of ARC's, or a malformed file.
    """
    judge = arc_scorer(scorer)
    return arc_questions(load_tasks(path), "arc_grid" if judge.name == "arc_grid" else "arc_program")
