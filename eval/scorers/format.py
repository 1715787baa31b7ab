"""`format`: one <reasoning>, then one <answer>, and nothing else; `format:256` also limits the number of tokens."""

import re
from typing import ClassVar

from eval.scorers.base import POINTS, Metrics, Score, Scorer
from podium.core.errors import UsageError
from podium.core.records import Prediction, Sample

_TAG = re.compile(r"</?(?:reasoning|answer)>")
_TAGS = ["<reasoning>", "</reasoning>", "<answer>", "</answer>"]


class FormatScorer(Scorer):
    name = "format"
    version = "1"
    metrics: ClassVar[Metrics] = {"reasoning_tags": POINTS, "answer_tags": POINTS, "length": POINTS}
    votes = False

    def __init__(self, option: str | None = None) -> None:
        """Raises UsageError unless the option is a number of tokens."""
        if option is not None and not (option.isascii() and option.isdigit() and len(option) < 10 and int(option) > 0):
            raise UsageError(f"scorer 'format:{option}': the limit must be a whole number of tokens >= 1")
        self._limit = None if option is None else int(option)

    @property
    def spec(self) -> str:
        return self.name if self._limit is None else f"{self.name}:{self._limit}"

    def _judge(self, sample: Sample, prediction: Prediction) -> Score:
        text = prediction.text
        parts = {
            "reasoning_tags": _tag_problem(text, "reasoning"),
            "answer_tags": _tag_problem(text, "answer"),
            "length": self._length_problem(prediction),
        }
        problems = [problem for problem in parts.values() if problem] or _order_problems(text)
        metrics = {name: float(problem is None) for name, problem in parts.items()}
        reason = "; ".join(problems) or "as required"
        return self._result(sample, float(not problems), text.strip() or None, reason, metrics)

    def _length_problem(self, prediction: Prediction) -> str | None:
        n_tokens = prediction.n_output_tokens
        if self._limit is None or (n_tokens is not None and n_tokens <= self._limit):
            return None
        return "n_output_tokens is not recorded" if n_tokens is None else f"{n_tokens} tokens, limit {self._limit}"


def _tag_problem(text: str, name: str) -> str | None:
    """Why the text does not have exactly one non-empty pair of this tag; None if it has."""
    opening, closing = f"<{name}>", f"</{name}>"
    if opening not in text and closing not in text:
        return f"no {opening}"
    inside, closed, _ = text.partition(opening)[2].partition(closing)
    if not closed or text.count(opening) > 1 or text.count(closing) > 1:
        return f"{opening} must be opened and closed exactly once"
    return None if inside.strip() else f"{opening} is empty"


def _order_problems(text: str) -> list[str]:
    """What is wrong with the order of the tags, in a text with exactly one pair of each."""
    if _TAG.findall(text) != _TAGS:
        return ["<reasoning> does not end before <answer> begins"]
    before, between, behind = _TAG.split(text)[::2]
    return ["there is text outside the tags"] if (before + between + behind).strip() else []
