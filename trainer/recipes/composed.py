"""Composes a reasoning trainset from topics, with a number of problems of each."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

from podium.core.records import ReasoningTrace, TraceStep
from trainer.recipes.reasoning_problems import templates
from trainer.recipes.reasoning_problems.problem import Draw, Problem, Template

MAX_TRIES = 20


@dataclass(frozen=True)
class Part:
    """`count` problems from `topics`. `category` is the part's name in the manifest's composition."""

    category: str
    topics: tuple[str, ...]
    count: int


def compose(name: str, parts: Sequence[Part], seed: int, avoid: Collection[str] = ()) -> list[ReasoningTrace]:
    """The traces of trainset `name`, in random order, without duplicate prompts and without prompts in `avoid`."""
    seen = set(avoid)
    rows: list[ReasoningTrace] = []
    for part in parts:
        rows += islice(_drawn(name, part, seed, seen), part.count)
    return sorted(rows, key=lambda row: _mixed("order", row.prompt))


def _drawn(name: str, part: Part, seed: int, seen: set[str]) -> Iterator[ReasoningTrace]:
    """Endless rounds of one problem from each template; a template's wording changes from round to round.

    Raises:
        RuntimeError: the templates have no new prompts left.
    """
    pool = [(topic, template) for topic in part.topics for template in templates(topic)]
    for wave in count():
        before = len(seen)
        for topic, template in sorted(pool, key=lambda item: _mixed(f"{name}/{seed}/{wave}", item[1].name)):
            forms = sorted(range(template.forms), key=lambda form: _mixed(f"{name}/{seed}", f"{template.name}/{form}"))
            problem = _new(f"{name}/{seed}/{wave}", template, forms[wave % len(forms)], seen)
            if problem is not None:
                seen.add(problem.prompt)
                yield _trace(problem, part.category, topic, template)
        if len(seen) == before:
            raise RuntimeError(
                f"part {part.category!r} of {name!r} has no {part.count} different prompts; ask for fewer"
            )


def _new(key: str, template: Template, form: int, seen: Collection[str]) -> Problem | None:
    """A problem whose prompt is not in `seen`; None if MAX_TRIES tries gave only known prompts."""
    for attempt in range(MAX_TRIES):
        problem = template.problem(Draw(f"{key}/{template.name}/{attempt}"), form)
        if problem.prompt not in seen:
            return problem
    return None


def _trace(problem: Problem, category: str, topic: str, template: Template) -> ReasoningTrace:
    return ReasoningTrace(
        prompt=problem.prompt,
        final_answer=problem.answer,
        steps=tuple(TraceStep(i=i, type=kind, content=text) for i, (kind, text) in enumerate(problem.steps, start=1)),
        meta={"category": category, "topic": topic, "template": template.name, "difficulty": template.level},
    )


def _mixed(salt: str, text: str) -> bytes:
    return hashlib.sha256(f"{salt}/{text}".encode()).digest()
