"""A task: a problem made by a function, for what a story's arithmetic cannot express (words, dates, lists, logic)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from trainer.recipes.reasoning_problems.problem import Draw, Level, Problem

# What a task's function returns: the fields of its wordings, the steps (each a Step, or the text of one), the answer.
Made = tuple[dict[str, Any], Sequence[Any], Any]


@dataclass(frozen=True)
class Task:
    name: str
    level: Level
    asks: tuple[str, ...]
    make: Callable[[Draw], Made]

    @property
    def forms(self) -> int:
        return len(self.asks)

    def problem(self, draw: Draw, form: int) -> Problem:
        people = draw.people()
        fields, steps, answer = self.make(draw)
        typed = [step if isinstance(step, tuple) else ("compute", step) for step in steps]
        conclusion = ("conclude", f"The answer is {str(answer).removesuffix('.')}.")
        return Problem(self.asks[form].format(**people, **fields), (*typed, conclusion), str(answer))


class Topic(list[Task]):
    """The tasks of one file, in the order they are written."""

    def task(self, level: Level, *asks: str) -> Callable[[Callable[[Draw], Made]], Callable[[Draw], Made]]:
        """A decorator that makes a function a task with the wordings `asks`, which may use the fields of `Draw.people`.

        A step without a type has the type compute. The conclusion is added.
        """

        def add(make: Callable[[Draw], Made]) -> Callable[[Draw], Made]:
            self.append(Task(make.__name__.replace("_", "-"), level, asks, make))
            return make

        return add
