"""What a check found."""

from dataclasses import dataclass
from typing import Literal, Self

Status = Literal["ok", "note", "broken"]


@dataclass(frozen=True)
class Finding:
    """One line about one thing. `fix` says what to do about a note or something broken."""

    check: str
    status: Status
    line: str
    fix: str | None = None

    @classmethod
    def ok(cls, check: str, line: str) -> Self:
        return cls(check, "ok", line)

    @classmethod
    def note(cls, check: str, line: str, fix: str | None = None) -> Self:
        """Something that limits what can be done here, and may be meant."""
        return cls(check, "note", line, fix)

    @classmethod
    def broken(cls, check: str, line: str, fix: str) -> Self:
        """Something that makes commands fail."""
        return cls(check, "broken", line, fix)
