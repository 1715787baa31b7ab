"""The `kaggle` command: uploads the folders of an export, follows its run and fetches its output.

Without the command, or without its configuration, the commands to type are what is returned.
"""

import shlex
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from podium.core.errors import PodiumError, UsageError
from podium.core.hashing import sha256_file
from podium.core.paths import portable
from podium.core.redaction import one_line, redact
from podium.submission.kaggle.export import CODE, NOTEBOOK, WHEELS, notebook_file
from podium.submission.kaggle.exported import Export, folder_of

COMMAND = "kaggle"
TIMEOUT_S = 3600.0  # an upload of wheels takes long
LOOK_S, MOST_LOOKS = 10.0, 180  # between two looks at a dataset that is being unpacked, and how many of them


@dataclass(frozen=True)
class Call:
    """One call of the command."""

    arguments: tuple[str, ...]
    instead: tuple[str, ...] | None = None  # what to call if it fails: the dataset may exist already
    until: str | None = None  # call it again until it prints this

    def __str__(self) -> str:
        return shlex.join((COMMAND, *self.arguments))


def push_calls(export: Export) -> list[Call]:
    """What uploads the datasets and pushes the notebook. Raises UsageError if a folder is missing or was edited."""
    folder = folder_of(export.name)
    file = notebook_file(export)
    if not file.is_file():
        raise UsageError(f"{file} does not exist; `podium kaggle export {export.name}` writes it again")
    if sha256_file(file) != export.notebook_sha256:
        raise UsageError(
            f"{file} was edited after the export, so its run would not be the one that was claimed; remove "
            f"{portable(folder)} and run `podium kaggle export {export.name}` again, which writes the same attempt"
        )
    calls = []
    for part in (CODE, WHEELS):
        path = folder / part
        if path.is_dir():
            options = ("-p", str(path), "--keep-tabular")
            version = ("datasets", "version", *options, "-m", f"attempt {export.attempt_id}")
            calls.append(Call(("datasets", "create", *options), version))
            # A notebook that begins before its dataset is ready does not have it.
            name = export.code if part == CODE else export.wheels
            calls.append(Call(("datasets", "status", f"{export.owner}/{name}"), until="ready"))
    shape = ("--accelerator", export.machine_shape) if export.machine_shape else ()
    push = ("kernels", "push", "-p", str(folder / NOTEBOOK), "-t", str(export.timeout_s), *shape)
    return [*calls, Call(push)]


def status_calls(export: Export) -> list[Call]:
    return [Call(("kernels", "status", export.kernel_id))]


def pull_calls(export: Export, to: Path) -> list[Call]:
    return [Call(("kernels", "output", export.kernel_id, "-p", str(to), "--file-pattern", r"podium_.*_evidence\.zip"))]


def is_configured() -> str | None:
    """None if the command can be called, else why not."""
    command = shutil.which(COMMAND)
    if command is None:
        return "the command kaggle is not installed (`make setup EXTRAS=kaggle`)"
    done = subprocess.run([command, "config", "view"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        return "the command kaggle is not configured (`kaggle auth login`)"
    return None


def run(calls: Sequence[Call], wait: Callable[[float], object] = time.sleep) -> str:
    """Run the calls one after the other, and return what they printed, without secrets. `wait` sleeps for seconds.

    Raises:
        PodiumError: one failed, or was not ready in time; the message has its last line.
    """
    said = []
    for call in calls:
        done = _run(call.arguments)
        for _ in range(MOST_LOOKS):
            if call.until is None or done.returncode or call.until in done.stdout:
                break
            wait(LOOK_S)
            done = _run(call.arguments)
        else:
            raise PodiumError(f"`{call}` did not say {call.until!r} within {MOST_LOOKS * LOOK_S:g} s; push again later")
        if done.returncode and call.instead is not None:
            done = _run(call.instead)
        text = redact(done.stdout.strip())
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
            raise PodiumError(
                f"`{call}` failed ({redact(one_line(last, 300))}); mend that, and run the same command again"
            )
        said.append(text)
    return "\n".join(filter(None, said))


def _run(arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    command = shutil.which(COMMAND)
    assert command is not None  # `is_configured` was asked
    try:
        return subprocess.run(
            [command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        raise PodiumError(f"`{COMMAND} {shlex.join(arguments)}`: no answer within {TIMEOUT_S:g} s") from None
