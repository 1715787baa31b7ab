"""What a verification checked, and what it found."""

from collections.abc import Callable
from dataclasses import dataclass, field

from podium.core.errors import PodiumError


@dataclass(frozen=True)
class Check:
    """One thing that was checked. `line` says what was found, or what is wrong."""

    name: str
    passed: bool
    line: str


@dataclass
class Report:
    """The checks in the order in which they were made."""

    checks: list[Check] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def problems(self) -> list[str]:
        return [check.line for check in self.checks if not check.passed]

    def run(self, name: str, check: Callable[[], str]) -> bool:
        """Make a check, which returns what it found or raises PodiumError. Returns whether it passed."""
        try:
            line, passed = check(), True
        except PodiumError as error:
            line, passed = str(error), False
        self.checks.append(Check(name, passed, line))
        return passed

    def fail(self, name: str, *lines: str) -> None:
        self.checks += [Check(name, False, line) for line in lines]

    def note(self, name: str, line: str) -> None:
        self.checks.append(Check(name, True, line))
