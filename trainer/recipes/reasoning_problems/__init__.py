"""The problems that the reasoning trainsets are drawn from.

A topic is a file: `stories/<topic>.txt` for problems that are data (see `story.py`), a module with TASKS for those that
need a function (see `task.py`). To add a problem, add a paragraph or a function there; to add a topic, name it below.
"""

from trainer.recipes.reasoning_problems import clock, dates, digits, letters, logic, moves, number_lists, phrases
from trainer.recipes.reasoning_problems.problem import Template
from trainer.recipes.reasoning_problems.story import stories

MODULES = {
    module.__name__.rpartition(".")[2]: module.TASKS
    for module in (clock, dates, digits, letters, logic, moves, number_lists, phrases)
}

WORKED = (
    "shopping", "everyday", "rates", "percentages", "ratios", "geometry", "units", "algebra", "sequences",
    "number_theory", "counting", "arithmetic", "precision", "knowledge", "clock", "dates", "logic", "moves",
)  # fmt: skip
SYNTHETIC = ("letters", "phrases", "number_lists", "digits")
EDGES = ("edges", "tricks")
GOLDEN = ("golden_quantities", "golden_shapes", "golden_reasoning", "golden_edges")
TOPICS = (*WORKED, *SYNTHETIC, *EDGES, *GOLDEN)


def templates(topic: str) -> tuple[Template, ...]:
    """Every problem of a topic, in file order."""
    return tuple(MODULES[topic]) if topic in MODULES else stories(topic)
