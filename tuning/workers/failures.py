"""Why a worker's process died, and what it printed last."""

import faulthandler
import os
import re
from dataclasses import dataclass
from pathlib import Path

from podium.core.redaction import redact

TAIL_LINES, TAIL_BYTES = 30, 32_768


def keep_output(path: Path) -> None:
    """Append what this process prints from now on to `path`, and its stack when a fatal signal ends it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    faulthandler.enable(2, all_threads=False)


@dataclass(frozen=True)
class CrashReporter:
    """Reports how a process died, from what it logged and what the kernel counted since `start`."""

    log: Path = Path(os.devnull)
    log_offset: int = 0  # size of the log in bytes at the start
    oom_kills: int = 0  # `oom_kill_count` at the start

    @classmethod
    def start(cls, log: Path) -> "CrashReporter":
        return cls(log, log.stat().st_size if log.is_file() else 0, oom_kill_count())

    def log_tail(self) -> list[str]:
        """The last lines that were logged since the start; empty if the log is on another machine."""
        if not self.log.is_file():
            return []
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self.log_offset, size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
        return redact(text).splitlines()[-TAIL_LINES:]

    def cause(self, ray_error: str) -> str:
        """How the process ended, as a predicate: "its worker" + cause. `ray_error` is the message of Ray's exception.

        The exit status of Ray's processes is not available, so the cause is inferred.
        """
        pid = re.search(r"\bpid: (\d+)", ray_error)
        process = f"(process {pid[1]}) " if pid else ""
        if fatal := next((line for line in self.log_tail() if line.startswith("Fatal Python error: ")), None):
            return f"{process}crashed: {fatal.removeprefix('Fatal Python error: ')}"
        if code := re.search(r"exit code (\d+)", ray_error):
            return f"{process}exited with code {code[1]}"
        if "running low on memory" in ray_error or "due to OOM" in ray_error:
            return f"{process}was killed by Ray, because the machine ran low on memory"
        if oom_kill_count() > self.oom_kills:
            return f"{process}was killed by the kernel, because memory ran out (OOM)"
        if re.search(r"\bnode (has )?(died|was terminated)", ray_error):
            return "was lost with its node"
        return f"{process}was killed (SIGKILL) or exited without a message"


def oom_kill_count() -> int:
    """How many processes the kernel has killed since boot because memory ran out; 0 if it does not say."""
    path = Path("/proc/vmstat")
    found = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE) if path.is_file() else None
    return int(found[1]) if found else 0
