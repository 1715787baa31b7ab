"""`arc_program`: the text holds a Python function solve(grid); the two best programs on the train pairs are used."""

from collections.abc import Sequence
from typing import ClassVar

from eval.arc.programs import Candidate, attempts, development_fitness, find_program, rank
from eval.arc.samples import one_output
from eval.arc.tasks import Task
from eval.sandbox.sandbox import ProgramResult, Sandbox
from eval.scorers.arc import AnsweredPrompt, ArcScorer, Attempts
from eval.scorers.base import POINTS, Metrics
from podium.core.records import Sample


class ArcProgramScorer(ArcScorer):
    """The metrics `fitness` and `train_pairs` describe the item's best program; the value does not depend on them."""

    name = "arc_program"
    version = "1"
    metrics: ClassVar[Metrics] = {"fitness": 1.0, "train_pairs": POINTS}

    def check(self, sample: Sample) -> None:
        super().check(sample)
        one_output(sample)

    def attempts(self, items: Sequence[AnsweredPrompt]) -> list[Attempts]:
        """Run the programs of all items in parallel processes; a program repeated for an item runs once."""
        tasks = [one_output(sample) for sample, _ in items]
        found = [[find_program(prediction.text) for prediction in predictions] for _, predictions in items]
        programs = [[text for text in texts if text is not None] for texts in found]
        runs = [(i, text) for i, texts in enumerate(programs) for text in dict.fromkeys(texts)]
        with Sandbox() as sandbox:
            results = sandbox.run_many([(text, _inputs(tasks[i])) for i, text in runs])
        by_run = dict(zip(runs, results, strict=True))
        return [
            _attempts(task, texts, [by_run[i, text] for text in texts])
            for i, (task, texts) in enumerate(zip(tasks, programs, strict=True))
        ]


def _inputs(task: Task) -> list[object]:
    return [pair.input for pair in (*task.train, *task.test)]


def _attempts(task: Task, programs: Sequence[str], results: Sequence[ProgramResult]) -> Attempts:
    if not programs:
        return Attempts([], "no program in the text", dict.fromkeys(ArcProgramScorer.metrics, 0.0))
    best, *others = ranked = rank(task, programs, results)
    (grids,) = attempts(task, ranked).values()
    second = f", then {others[0].reason}" if others else ""
    return Attempts(grids, f"{best.reason}{second}", _metrics(task, best))


def _metrics(task: Task, best: Candidate) -> dict[str, float]:
    """The metrics of the best program; none if a solution is unknown, because then there is no score either."""
    if any(pair.output is None for pair in task.test):
        return {}
    return {"fitness": float(development_fitness(task, best)), "train_pairs": best.train_correct / best.n_train}
