"""The report that every benchmark prints: its figures and goals as a table, or with --json as one object.

    options = arguments(__doc__, trials=20)
    report = Report("cli_start")
    report.figure("podium --help", 0.21, "s")
    report.goal("podium --help minus python -c pass", 0.19, "< 0.25", "s")
    report.print(options.json)

Entries of `reach` in the JSON are {what, value, goal, met}. The exit code is 0 even if a goal is not met.
"""

import argparse
import json
import os
import platform
import re
from dataclasses import dataclass, field
from typing import Any

GOAL = re.compile(r"(?P<sign><=|>=|<|>|==) (?P<bound>-?\d+(\.\d+)?)")


@dataclass
class Report:
    """The figures of a benchmark and its goals, in the order in which they were added."""

    name: str
    figures: list[dict[str, Any]] = field(default_factory=list)  # {what, value, unit}
    goals: list[dict[str, Any]] = field(default_factory=list)  # {what, value, goal, met}

    def figure(self, what: str, value: float | str | None, unit: str = "") -> None:
        self.figures.append({"what": what, "value": value, "unit": unit})

    def goal(self, what: str, value: float | None, goal: str, unit: str = "") -> None:
        """Add a value and its goal, such as `>= 1.15`. A value of None was not measured and does not meet the goal."""
        met = value is not None and meets(value, goal)
        self.goals.append({"what": what, "value": value, "goal": f"{goal} {unit}".rstrip(), "met": met})

    def as_dict(self) -> dict[str, Any]:
        machine = {"python": platform.python_version(), "system": platform.platform(), "cpu_count": os.cpu_count()}
        return {"benchmark": self.name, "machine": machine, "figures": self.figures, "reach": self.goals}

    def print(self, as_json: bool) -> None:
        print(json.dumps(self.as_dict(), indent=2, allow_nan=False) if as_json else self.as_table())

    def as_table(self) -> str:
        rows = [
            ("", figure["what"], f"{formatted(figure['value'])} {figure['unit']}".rstrip(), "")
            for figure in self.figures
        ]
        rows += [
            ("met" if goal["met"] else "NOT MET", goal["what"], formatted(goal["value"]), f"goal {goal['goal']}")
            for goal in self.goals
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else [0] * 4
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"benchmark {self.name}", *lines])


def meets(value: float, goal: str) -> bool:
    """Whether `value` meets `goal`. Raises ValueError if the goal is not a comparison sign and a number."""
    match = GOAL.fullmatch(goal)
    if not match:
        raise ValueError(f"goal {goal!r}: must be a comparison sign and a number, such as '>= 1.15'")
    bound = float(match["bound"])
    signs = {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound, "==": value == bound}
    return signs[match["sign"]]


def formatted(value: float | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def arguments(description: str | None, **options: Any) -> argparse.Namespace:
    """Parse --json and one option per keyword with its default: trials=20 adds --trials N, quick=False adds --quick."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    for name, default in options.items():
        kind = {"action": "store_true"} if default is False else {"type": type(default), "default": default}
        parser.add_argument(f"--{name.replace('_', '-')}", **kind)
    return parser.parse_args()
