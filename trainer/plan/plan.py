"""`Plan`: whether a run fits on a target, by its compiled programs, and the smallest change that makes it fit."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.records import Prompt
from trainer.device.devices import GPU_SHARE
from trainer.plan.base import TABLE, find_config
from trainer.plan.changes import changes_of_decoding, changes_of_training
from trainer.plan.compile import LIMIT_S, compile_all, jobs_of
from trainer.plan.program import Program
from trainer.plan.target import Target

TRAINING = frozenset({"init", "train", "loss"})


@dataclass(frozen=True)
class Plan:
    """The programs of one config on one target. `limit`: bytes that a program may use on a device, None if unknown."""

    config: RunConfig
    target: Target
    programs: list[Program]
    limit: int | None

    @property
    def too_large(self) -> list[Program]:
        """The programs that do not fit."""
        return [program for program in self.programs if not fits(program, self.limit)]

    @property
    def fits(self) -> bool:
        return not self.too_large

    @property
    def reason(self) -> str | None:
        """Why the run does not fit; None if it does."""
        if self.fits:
            return None
        worst = max(self.too_large, key=lambda program: program.total)
        return f"{worst.label} {misfit(worst, self.limit)} on {self.target.accelerator_name}"


@dataclass(frozen=True)
class Change:
    """Overrides that make a run fit, and the plan with them."""

    overrides: Mapping[str, Any]
    plan: Plan

    @property
    def arguments(self) -> str:
        """As `--set` takes them."""
        return " ".join(f"--set {key}={json.dumps(value)}".replace('"', "") for key, value in self.overrides.items())


def make_plan(
    config: RunConfig,
    target: Target,
    prompts: Sequence[Prompt] = (),
    limit_s: float = LIMIT_S,
    on_program: Callable[[Program], None] = lambda _: None,
    functions: Set[str] | None = None,
) -> Plan:
    """Compile every function of a run, or only `functions`. Raises as `compile_all` does."""
    jobs = [job for job in jobs_of(config, target, prompts) if functions is None or job.function in functions]
    programs = [program for found in compile_all(jobs, limit_s, on_program) for program in found]
    return Plan(config, target, programs, limit_of(config, target))


def smallest_change(plan: Plan, prompts: Sequence[Prompt] = (), limit_s: float = LIMIT_S) -> Change | None:
    """The first change of training, and of decoding, with which every program fits; each is compiled. None if there is
    none."""
    failing = {program.function for program in plan.too_large}
    found: dict[str, Any] = {}
    for functions, tries in (
        (failing & TRAINING, changes_of_training(plan.config, plan.target)),
        (failing - TRAINING, changes_of_decoding(plan.config)),
    ):
        if functions:
            tried = (each for each in tries if _fits_with({**found, **each}, plan, prompts, limit_s, functions))
            found |= next(tried, {})
    if not found:
        return None
    whole = make_plan(plan.config.with_overrides(found), plan.target, prompts, limit_s)
    return Change(found, whole) if whole.fits else None


def _fits_with(
    overrides: Mapping[str, Any], plan: Plan, prompts: Sequence[Prompt], limit_s: float, functions: Set[str]
) -> bool:
    try:
        config = plan.config.with_overrides(overrides)
    except UsageError:  # values that contradict each other
        return False
    return make_plan(config, plan.target, prompts, limit_s, functions=functions).fits


def limit_of(config: RunConfig, target: Target) -> int | None:
    """The bytes that a program may use on each device: device.memory_gb, else what the accelerator leaves to JAX."""
    if config.device.memory_gb is not None:
        return int(config.device.memory_gb * 1e9)
    memory = target.accelerator.memory_bytes
    return int(GPU_SHARE * memory) if memory and target.accelerator.kind == "gpu" else memory


def fits(program: Program, limit: int | None) -> bool:
    return program.refusal is None and (limit is None or program.total <= limit)


def misfit(program: Program, limit: int | None) -> str:
    """By how much a program does not fit."""
    if limit is None or (program.refusal and program.temporaries is None):
        return f"was refused: {program.refusal}"
    return f"needs {program.total / 1e9:.2f} GB, {(program.total - limit) / 1e9:.2f} GB more than the {limit / 1e9:.2f}"


def notes(config: RunConfig, target: Target) -> list[str]:
    """What the reader of a plan has to know about it."""
    found = []
    if find_config(config.model).is_relative_to(TABLE):
        found.append(f"{config.model.source} is not on this machine; its sizes are from Podium's own table")
    if target.accelerator.kind == "gpu" and config.device.memory_gb is None:
        memory = target.accelerator.memory_gib
        found.append(f"the limit is {GPU_SHARE:g} of the {memory:g} GiB, which JAX's allocator takes")
    return found
