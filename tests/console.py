"""Commands and their output as documents show them, and whether a real run says the same."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Durations, hosts, hashes, times, scores: what differs from run to run and from machine to machine.
VARIES = re.compile(
    r"(?:\d+[hm] )?\d[\d.]*(?: s|s|m)\b|(?<= on )\S+(?= \(pid)|\b[0-9a-f]{8,}\b|\d[\d,.:T+-]*(?:e-?\d+)?"
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


def run(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line as a person would, with this environment's `podium` first on the PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = os.environ | environment | {"PATH": path, "COLUMNS": "200"}
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(["bash", "-c", command], cwd=cwd, env=env, text=True, **both)


def missing_lines(command: Command, output: str) -> list[str]:
    """Lines that the document shows and the run did not print, numbers and hashes aside."""
    printed = {_masked(line) for line in output.splitlines()}
    return [line for line in command.output if _masked(line) not in printed]


def _masked(line: str) -> str:
    return " ".join(VARIES.sub("N", line).split())
