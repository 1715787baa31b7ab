"""Commands and their output as documents show them, and whether a real run says the same."""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
HOME = "/home/me/podium"  # what the pages show in place of the folder of a run
# Systems, durations, hosts, hashes, times, scores: what differs from run to run and from machine to machine.
VARIES = re.compile(
    r"Linux-\S+|(?<= on )\S+(?= \(pid)|(?:\d+[hm] )?\d[\d.]*(?: ms| s| h|s|m)\b"
    r"|(?<![^\W_])[0-9a-f]{8,}\b|\d[\d,.:T+-]*(?:e-?\d+)?"
)


@dataclass
class Command:
    line: str
    output: list[str] = field(default_factory=list)


def commands(document: Path) -> list[Command]:
    """Every `$ ...` line of the document's console blocks, with the output shown below it."""
    found: list[Command] = []
    for block in BLOCK.findall(document.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Command(line.removeprefix("$ ")))
            elif line.strip() and line.strip() != "...":
                found[-1].output.append(line)
    return found


def files(document: Path) -> dict[str, str]:
    """The files that the document shows: each a block below a line that is the name alone, and a colon."""
    return dict(FILE.findall(document.read_text(encoding="utf-8")))


def run(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line as a person would, with this environment's `podium` first on the PATH."""
    return subprocess.run(["bash", "-c", command], **_as_a_person(cwd, environment))


def run_until(words: str, command: str, cwd: Path, **environment: str) -> str:
    """Run a shell line; kill it and its children (SIGKILL) at the line that begins with the words. What it printed."""
    process = subprocess.Popen(["bash", "-c", command], **_as_a_person(cwd, environment), start_new_session=True)
    assert process.stdout is not None
    printed = []
    with process:
        for said in process.stdout:
            printed.append(said)
            if said.startswith(words):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "".join(printed)
    return "".join(printed)


def _as_a_person(cwd: Path, environment: dict[str, str]) -> dict[str, Any]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | environment | {"PATH": path, "COLUMNS": "200"}
    return {"cwd": cwd, "env": env, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}


def missing_lines(command: Command, output: str) -> list[str]:
    """Lines that the document shows and the run did not print, numbers and hashes aside."""
    printed = {_masked(line) for line in output.splitlines()}
    return [line for line in command.output if _masked(line) not in printed]


def _masked(line: str) -> str:
    return " ".join(VARIES.sub("N", line).split())
