"""How a reasoning trainset is put together: which topics, and how many problems of each."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice

from podium.core.records import ReasoningTrace, TraceStep
from trainer.recipes.reasoning_problems import templates
from trainer.recipes.reasoning_problems.problem import Draw, Template


@dataclass(frozen=True)
class Part:
    """`category` is its name in the manifest's composition."""

    category: str
    topics: tuple[str, ...]
    count: int


def compose(name: str, parts: Sequence[Part], seed: int, avoid: Collection[str] = ()) -> list[ReasoningTrace]:
    """The traces of trainset `name`, no prompt twice or in `avoid`; any first N of them are a fair sample."""
    seen = set(avoid)
    rows: list[ReasoningTrace] = []
    for part in parts:
        rows += islice(_drawn(name, part, seed, seen), part.count)
    return sorted(rows, key=lambda row: _mixed("order", row.prompt))


def _drawn(name: str, part: Part, seed: int, seen: set[str]) -> Iterator[ReasoningTrace]:
    """Without end: one problem of every template, then one of each again in its next wording, and so on."""
    pool = [(topic, template) for topic in part.topics for template in templates(topic)]
    for wave in count():
        for topic, template in sorted(pool, key=lambda item: _mixed(f"{name}/{seed}/{wave}", item[1].name)):
            forms = sorted(range(template.forms), key=lambda form: _mixed(f"{name}/{seed}", f"{template.name}/{form}"))
            trace = _trace(f"{name}/{seed}/{wave}", part.category, topic, template, forms[wave % len(forms)], seen)
            if trace is not None:
                seen.add(trace.prompt)
                yield trace


def _trace(
    key: str, category: str, topic: str, template: Template, form: int, seen: Collection[str]
) -> ReasoningTrace | None:
    """None where every try gives a prompt that is `seen`: the template has hardly anything that varies."""
    for attempt in range(20):
        problem = template.problem(Draw(f"{key}/{template.name}/{attempt}"), form)
        if problem.prompt not in seen:
            return ReasoningTrace(
                prompt=problem.prompt,
                final_answer=problem.answer,
                steps=tuple(TraceStep(i=i, type=t, content=c) for i, (t, c) in enumerate(problem.steps, start=1)),
                meta={"category": category, "topic": topic, "template": template.name, "difficulty": template.level},
            )
    return None


def _mixed(salt: str, text: str) -> bytes:
    return hashlib.sha256(f"{salt}/{text}".encode()).digest()
