"""`Target`: the machine that a plan is made for. Without JAX."""

import difflib
import re
from dataclasses import dataclass
from typing import Any

from podium.core.budgets.accelerators import Accelerator, accelerator, accelerators
from podium.core.budgets.profiles import FORMER, check_kaggle_id, load_profile, profiles
from podium.core.errors import UsageError

TOPOLOGY = re.compile(r"(?P<generation>[a-z0-9]+):(?P<grid>\d+(?:x\d+){1,2})")
# How libtpu calls the machines with 1, 2, 4 and 8 chips of a generation whose chips form a flat grid.
GRIDS = {1: "1x1", 2: "1x2", 4: "2x2", 8: "2x4"}
FLAT = ("v5e", "v6e")


@dataclass(frozen=True)
class Target:
    """Devices of one kind. `grid`: the topology of a TPU machine, such as 2x4."""

    name: str
    accelerator_name: str
    count: int
    grid: str | None = None

    @property
    def accelerator(self) -> Accelerator:
        return accelerator(self.accelerator_name)

    @property
    def topology(self) -> str:
        """As libtpu names it: `v5e:2x4`."""
        return f"{self.accelerator.topology}:{self.grid}"

    @property
    def key(self) -> dict[str, Any]:
        """What a compiled program depends on."""
        return {"accelerator": self.accelerator_name, "count": self.count, "grid": self.grid}

    def __str__(self) -> str:
        return f"{self.count} x {self.accelerator_name}"

    def with_count(self, count: int) -> "Target":
        """The first `count` devices of this machine. Raises UsageError if it has fewer, or a TPU has no such grid."""
        if count > self.count:
            raise UsageError(f"--chips {count}, must be <= {self.count}, the devices of {self.name}; lower it")
        return self if count == self.count else _of(self.accelerator, count, self.name)


def find_target(name: str) -> Target:
    """The target `name`: a budget profile, a TPU topology such as `v5e:2x4`, or an accelerator (one device of it).

    Raises:
        UsageError: it is none of these.
    """
    if found := TOPOLOGY.fullmatch(name):
        return _of_topology(name, found["generation"], found["grid"])
    if name in accelerators():
        return _of(accelerator(name), 1, name)
    check_kaggle_id(name)
    if name not in profiles() and name not in FORMER:
        near = difflib.get_close_matches(name, [*profiles(), *accelerators()], n=1)
        hint = f"did you mean {near[0]}? It " if near else ""
        known = f"{', '.join(profiles())}; or an accelerator: {', '.join(accelerators())}; or a topology: v5e:2x4"
        raise UsageError(f"target {name!r}: {hint}must be a profile: {known}")
    profile = load_profile(name, "--on")
    if profile.accelerator is None or profile.count is None:
        return _of(accelerator("cpu"), 1, name)
    return _of(profile.accelerator, profile.count, name)


def _of_topology(name: str, generation: str, grid: str) -> Target:
    found = next((each for each in accelerators().values() if each.topology == generation), None)
    if found is None:
        known = ", ".join(each.topology for each in accelerators().values() if each.topology)
        raise UsageError(f"target {name!r}: unknown TPU generation {generation!r}, must be one of {known}")
    return Target(name, found.name, _product(grid), grid)


def _of(device: Accelerator, count: int, name: str) -> Target:
    if device.kind != "tpu":
        return Target(name, device.name, count)
    if device.topology not in FLAT or count not in GRIDS:
        raise UsageError(
            f"{count} x {device.name}: its chips are not a grid that Podium knows; give the topology, "
            f"such as --on {device.topology}:2x2x1"
        )
    return Target(name, device.name, count, GRIDS[count])


def _product(grid: str) -> int:
    product = 1
    for side in grid.split("x"):
        product *= int(side)
    return product
