"""What a worker's process died of, and what it printed last."""

import faulthandler
import os
import re
from dataclasses import dataclass
from pathlib import Path

from podium.core.redaction import redact

TAIL_LINES, TAIL_BYTES = 30, 32_768


def keep_output(path: Path) -> None:
    """Append what this process prints from now on to `path`, and where it stood when a fatal signal ends it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    faulthandler.enable(2, all_threads=False)


@dataclass(frozen=True)
class Watch:
    """How a worker's log and its machine stood when a trial came; `tail` and `cause` are about what came after."""

    log: Path = Path(os.devnull)
    log_size: int = 0
    kernel_kills: int = 0

    @classmethod
    def begin(cls, log: Path) -> "Watch":
        return cls(log, log.stat().st_size if log.is_file() else 0, kernel_kills())

    def tail(self) -> list[str]:
        """The last lines that the worker printed; none where its log is not on this machine."""
        if not self.log.is_file():
            return []
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self.log_size, size - TAIL_BYTES))
            text = file.read().decode("utf-8", errors="replace")
        return redact(text).splitlines()[-TAIL_LINES:]

    def cause(self, ray_says: str) -> str:
        """How the process ended, in words that follow `its worker`.

        Nobody waits for a process of Ray's, so its exit status is lost; this is put together from what is left of it.
        """
        pid = re.search(r"\bpid: (\d+)", ray_says)
        who = f"(process {pid[1]}) " if pid else ""
        if fatal := next((line for line in self.tail() if line.startswith("Fatal Python error: ")), None):
            return f"{who}crashed: {fatal.removeprefix('Fatal Python error: ')}"
        if code := re.search(r"exit code (\d+)", ray_says):
            return f"{who}ended itself with exit code {code[1]}"
        if "running low on memory" in ray_says or "due to OOM" in ray_says:
            return f"{who}was killed by Ray, because the machine ran low on memory"
        if kernel_kills() > self.kernel_kills:
            return f"{who}was killed by the kernel, because memory ran out (OOM)"
        if re.search(r"\bnode (has )?(died|was terminated)", ray_says):
            return "was lost with its node"
        return f"{who}was killed (SIGKILL), or ended itself without a word"


def kernel_kills() -> int:
    """How many processes the kernel has ended for want of memory since the machine started; 0 if it does not say."""
    path = Path("/proc/vmstat")
    found = re.search(r"^oom_kill (\d+)$", path.read_text(), re.MULTILINE) if path.is_file() else None
    return int(found[1]) if found else 0
