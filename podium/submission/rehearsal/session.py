"""One pretend session: starts the child, watches its limits, and says how it ended."""

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from podium.core.clock import Clock, MonotonicClock
from podium.core.duration import format_duration
from podium.core.errors import PodiumError
from podium.submission.rehearsal.child import INPUT, RESULT, SCRATCH, WORKING
from podium.submission.rehearsal.outcome import Limits, Verdict

LOOK_S = 0.25  # between two looks at the limits
# The first that works here gives the child mounts and a network of its own.
PREFIXES = (
    ("unshare", "--mount", "--net"),
    ("unshare", "--map-root-user", "--mount", "--net"),
)
SECRETS = ("HF_TOKEN", "KAGGLE_KEY", "KAGGLE_USERNAME", "KAGGLE_API_TOKEN", "WANDB_API_KEY")


@dataclass(frozen=True)
class Ended:
    """`verdict` and the line about it; None if the notebook ran to its end."""

    verdict: Verdict | None
    line: str
    isolation: tuple[str, ...]


def run_session(folder: Path, limits: Limits, is_rerun: bool, clock: Clock | None = None) -> Ended:
    """Execute `folder`/notebook.ipynb as Kaggle would, in folders below `folder`.

    Raises:
        PodiumError: the child could not be started.
    """
    clock, prefix = clock or MonotonicClock(), _prefix()
    environment = _environment(folder, is_rerun, bool(prefix))
    command = [*prefix, sys.executable, "-m", "podium.submission.rehearsal.child", str(folder)]
    with (folder / "child.log").open("wb") as log:
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
        try:
            broken = _watch(child, folder, limits, clock)
        finally:
            _kill(child)
    network = "network: none" if prefix else "network: NOT cut off, which this machine does not allow"
    if not (folder / RESULT).is_file():
        isolation: tuple[str, ...] = (network,)
        if broken:
            return Ended(*broken, isolation)
        last = (folder / "child.log").read_text(errors="replace").strip().splitlines()[-1:]
        raise PodiumError(f"the rehearsal itself failed ({last[0] if last else 'no message'})")
    result = json.loads((folder / RESULT).read_text(encoding="utf-8"))
    isolation = (*result["isolation"], network)
    if broken:
        return Ended(*broken, isolation)
    if error := result["error"]:
        return Ended(Verdict.EXCEPTION, _shown(error), isolation)
    return Ended(None, "every cell ran", isolation)


def _shown(error: dict[str, str]) -> str:
    line = error["line"].strip().splitlines()
    text = line[0] if line else "no message"
    return text if error["name"] in ("Refused", "SystemExit", "DeadKernelError") else f"{error['name']}: {text}"


def _watch(child: "subprocess.Popen[bytes]", folder: Path, limits: Limits, clock: Clock) -> tuple[Verdict, str] | None:
    """Wait for the child, and end it if it breaks a limit, which is returned."""
    ends_s = clock.now() + limits.time_s
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(LOOK_S)
            return None
        memory, disk = _memory(child.pid), _size(folder / WORKING)
        if memory > limits.memory_bytes:
            return Verdict.COMPUTE, f"{memory / 1e9:.2f} GB of memory, more than {limits.memory_bytes / 1e9:.2f} GB"
        if disk > limits.disk_bytes:
            held = f"{limits.disk_bytes / 1e9:.3f} GB"
            return Verdict.COMPUTE, f"{disk / 1e9:.3f} GB in the working folder, which holds {held}"
        if clock.now() >= ends_s:
            _terminate(child, limits.grace_s)
            return Verdict.TIMEOUT, f"not at its end after {format_duration(limits.time_s)}"


def _terminate(child: "subprocess.Popen[bytes]", grace_s: float) -> None:
    """SIGTERM to all processes below the child, which ends by itself once they have."""
    for process in _below(child.pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(grace_s)


def _kill(child: "subprocess.Popen[bytes]") -> None:
    left = [*_below(child.pid)]
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _below(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _memory(pid: int) -> int:
    """Resident bytes of all processes below `pid`; what they share counts once for each."""
    return sum(_resident(process) for process in _below(pid))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _size(folder: Path) -> int:
    """Bytes of all files below a folder, but for those that go while it is looked at."""
    total = 0
    with contextlib.suppress(OSError):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                found = path.lstat()
                total += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return total


def _prefix() -> tuple[str, ...]:
    if shutil.which("unshare") is None:
        return ()
    works = (prefix for prefix in PREFIXES if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0)
    return next(works, ())


def _environment(folder: Path, is_rerun: bool, namespaces: bool) -> dict[str, str]:
    """The variables of a Kaggle session, and none of this machine's secrets or of its Podium."""
    kept = {key: value for key, value in os.environ.items() if key not in SECRETS and not key.startswith("PODIUM_")}
    return {
        **kept,
        "XDG_CONFIG_HOME": str(folder / SCRATCH / "config"),  # without the user's settings
        "KAGGLE_KERNEL_RUN_TYPE": "Batch",
        "KAGGLE_URL_BASE": "https://www.kaggle.com",
        "PODIUM_KAGGLE_INPUT": str(folder / INPUT),
        "PODIUM_KAGGLE_WORKING": str(folder / WORKING),
        "PODIUM_KAGGLE_SCRATCH": str(folder / SCRATCH),
        **({"PODIUM_REHEARSAL_NAMESPACES": "1"} if namespaces else {}),
        **({"KAGGLE_IS_COMPETITION_RERUN": "1"} if is_rerun else {}),
    }
