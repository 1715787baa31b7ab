"""The ports that Ray's processes listen on, read from /proc. Ray binds most of them to every interface."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from podium.core.wording import named
from podium.doctor.finding import Finding

PROC = Path("/proc")
METRICS_PORT = 44217  # of the autoscaler, which asks for no token
LISTENS = "0A"  # proc(5), net/tcp: the state of a socket
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")


@dataclass(frozen=True)
class Port:
    """A port of a process of Ray. `is_open`: on other interfaces than the loopback."""

    process: str
    number: int
    is_open: bool


def listening(proc: Path = PROC) -> Iterator[Finding]:
    if os.environ.get("RAY_AUTH_MODE", "").lower() == "disabled":
        line = "RAY_AUTH_MODE=disabled: whoever reaches Ray's ports can run code here"
        yield Finding.broken("ray ports", line, "unset RAY_AUTH_MODE")
    if not (proc / "net" / "tcp").exists():
        yield Finding.note("ray ports", "not known: this system has no /proc")
        return
    ports = sorted(ray_ports(proc), key=lambda port: port.number)
    if any(port.number == METRICS_PORT and port.is_open for port in ports):
        line = f"the autoscaler's metrics are open to anyone on port {METRICS_PORT}"
        yield Finding.note("ray ports", line, "start Ray with AUTOSCALER_METRIC_PORT=-1")
    if ports:
        shown = named((f"{port.number} ({port.process}{'' if port.is_open else ', loopback'})" for port in ports), 12)
        yield Finding.ok("ray ports", f"{shown}: Ray listens on them")
    else:
        yield Finding.ok("ray ports", "none: no Ray of yours runs here")


def ray_ports(proc: Path = PROC) -> set[Port]:
    """The listening TCP ports of this user's processes of Ray."""
    sockets = _listening_sockets(proc)
    found = set()
    for process in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or belongs to another user
            if name := _ray_name(process):
                found |= {Port(name, *sockets[inode]) for inode in _sockets_of(process) if inode in sockets}
    return found


def _listening_sockets(proc: Path) -> dict[str, tuple[int, bool]]:
    """(port, whether it is open to others) of every listening socket by its inode."""
    found = {}
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (proc / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                address, _, port = fields[1].partition(":")
                if fields[3] == LISTENS:
                    found[fields[9]] = int(port, 16), address not in LOOPBACK
    return found


def _ray_name(process: Path) -> str | None:
    """The name of a process of Ray, such as raylet; None for other processes."""
    words = (process / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ").split()
    if not words:
        return None
    if words[0].startswith("ray::"):
        return words[0]
    ours = next((word for word in words[:4] if "/ray/" in word), words[0])
    return Path(ours).name if "/ray/" in ours or Path(ours).name in ("raylet", "gcs_server") else None


def _sockets_of(process: Path) -> Iterator[str]:
    for file in (process / "fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(file.readlink())
            if target.startswith("socket:["):
                yield target[8:-1]
