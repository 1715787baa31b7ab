"""The parts that all problems share: random choices, people, and the finished problem."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, Protocol, TypeVar

T = TypeVar("T")

Level = Literal["easy", "medium", "hard"]
Step = tuple[str, str]  # (type, content); the types are understand, plan, compute, reason, check, conclude


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WOMEN = words(
    "Aisha Alba Amara Beatriz Chloe Dana Elif Esther Farida Freya Greta Hana Ingrid Iris Jasmine Keiko Lena Leila "
    "Maya Mei Nadia Nora Olga Priya Rosa Ruth Sofia Tamar Uma Vera Wanjiru Ximena Yara Zoe"
)
MEN = words(
    "Adam Ahmed Arjun Ben Carlos Chen Daniel Diego Emeka Felix Gabriel Hugo Ivan Jamal Jonas Kofi Liam Luca Marek "
    "Mateo Nikhil Omar Oskar Pavel Quentin Ravi Samuel Stefan Tariq Theo Viktor Wei Yusuf Zane"
)
NAMES = (*WOMEN, *MEN)


@dataclass(frozen=True)
class Problem:
    prompt: str
    steps: tuple[Step, ...]
    answer: str


class Template(Protocol):
    """Makes problems in `forms` wordings, of which `form` selects one."""

    @property
    def name(self) -> str: ...
    @property
    def level(self) -> Level: ...
    @property
    def forms(self) -> int: ...
    def problem(self, draw: "Draw", form: int) -> Problem: ...


class Draw:
    """Random choices that depend on `key` only."""

    def __init__(self, key: str) -> None:
        # Only random() has a sequence that Python promises to keep from version to version.
        self._random = Random(key).random

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self._random() * len(items))]

    def number(self, low: int, high: int, step: int = 1) -> int:
        """From `low` to `high`, both included."""
        return self.pick(range(low, high + 1, step))

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different items, in random order."""
        left = list(items)
        return [left.pop(int(self._random() * len(left))) for _ in range(count)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return self.sample(items, len(items))

    def people(self) -> dict[str, str]:
        """Words for three people: `who` with pronouns, `friend` and `third`."""
        who, friend, third = self.sample(NAMES, 3)
        he, him, his = ("she", "her", "her") if who in WOMEN else ("he", "him", "his")
        return {
            "who": who, "friend": friend, "third": third,
            "he": he, "him": him, "his": his, "He": he.title(), "His": his.title(),
        }  # fmt: skip
