"""How a session ends, in Kaggle's words."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Verdict(StrEnum):
    """What Kaggle calls the end of a submission's notebook."""

    SUCCEEDED = "Succeeded"
    TIMEOUT = "Notebook Timeout"
    EXCEPTION = "Notebook Threw Exception"
    COMPUTE = "Notebook Exceeded Allowed Compute"
    NO_FILE = "Submission File Not Found"
    SCORING = "Submission Scoring Error"


@dataclass(frozen=True)
class Limits:
    """Of a session: wall seconds, bytes of memory of all its processes, bytes in its working folder.

    `grace_s`: seconds between SIGTERM and SIGKILL at the end of the time.
    """

    time_s: float
    memory_bytes: int = 30 * 2**30
    disk_bytes: int = 20 * 2**30
    grace_s: float = 30.0


@dataclass(frozen=True)
class Outcome:
    """`line` says what happened; `folder` has the executed notebook, and the evidence zip if there is one."""

    verdict: Verdict
    line: str
    folder: Path
    isolation: tuple[str, ...]

    @property
    def evidence(self) -> Path | None:
        return next(iter(sorted(self.folder.glob("podium_*_evidence.zip"))), None)
