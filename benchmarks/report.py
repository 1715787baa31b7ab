"""How every benchmark ends: a table for people, or with --json one object, with the goals it has to reach.

    options = arguments(__doc__, trials=20)
    report = Report("cli_start")
    report.figure("podium --help", 0.21, "s")
    report.reach("podium --help over python -c pass", 0.19, "< 0.25", "s")
    report.end(options.json)

`reach` entries are {what, value, goal, met}. The exit code is 0 either way: a figure is not a failure.
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
    """Figures in the order in which they were measured."""

    name: str
    figures: list[dict[str, Any]] = field(default_factory=list)  # {what, value, unit}
    goals: list[dict[str, Any]] = field(default_factory=list)  # {what, value, goal, met}

    def figure(self, what: str, value: float | str | None, unit: str = "") -> None:
        self.figures.append({"what": what, "value": value, "unit": unit})

    def reach(self, what: str, value: float | None, goal: str, unit: str = "") -> None:
        """`goal` is a sign and a number, like `>= 1.15`; a value that could not be measured does not reach it."""
        met = value is not None and reached(value, goal)
        self.goals.append({"what": what, "value": value, "goal": f"{goal} {unit}".rstrip(), "met": met})

    def as_dict(self) -> dict[str, Any]:
        machine = {"python": platform.python_version(), "system": platform.platform(), "cpu_count": os.cpu_count()}
        return {"benchmark": self.name, "machine": machine, "figures": self.figures, "reach": self.goals}

    def end(self, as_json: bool) -> None:
        print(json.dumps(self.as_dict(), indent=2, allow_nan=False) if as_json else self.as_table())

    def as_table(self) -> str:
        rows = [
            ("", figure["what"], f"{shown(figure['value'])} {figure['unit']}".rstrip(), "") for figure in self.figures
        ]
        rows += [
            ("met" if goal["met"] else "NOT MET", goal["what"], shown(goal["value"]), f"goal {goal['goal']}")
            for goal in self.goals
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)] if rows else [0] * 4
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"benchmark {self.name}", *lines])


def reached(value: float, goal: str) -> bool:
    """Whether `value` keeps to `goal`. Raises ValueError for a goal that is no sign and number."""
    match = GOAL.fullmatch(goal)
    if not match:
        raise ValueError(f"goal {goal!r}: must be a sign and a number, like '>= 1.15'")
    bound = float(match["bound"])
    signs = {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound, "==": value == bound}
    return signs[match["sign"]]


def shown(value: float | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def arguments(description: str | None, **options: Any) -> argparse.Namespace:
    """The arguments: --json, and `options` with these defaults (trials=20 -> --trials N, no=False -> --no)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    for name, default in options.items():
        kind = {"action": "store_true"} if default is False else {"type": type(default), "default": default}
        parser.add_argument(f"--{name.replace('_', '-')}", **kind)
    return parser.parse_args()
