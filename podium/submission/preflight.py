"""Checks before the claim, so that a run that cannot work does not use up its one attempt. They write nothing."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp

from eval.scorers import get_scorer
from podium.core.duration import format_duration
from podium.core.errors import PodiumError, UsageError
from podium.core.paths import submission_dir
from podium.core.records import Prompt
from podium.core.redaction import one_line
from podium.core.resolved import ResolvedConfig
from podium.submission import evidence
from podium.submission.claim import UnlabelledFile
from podium.submission.imports import check_imports
from podium.submission.lock import Lock, broken_rules, verify_inputs
from trainer.device.devices import DeviceInfo, select, use_compile_cache
from trainer.device.memory import free_bytes, gb, tree_bytes
from trainer.inference import check_prompts
from trainer.model.sources import find_files
from trainer.programs.library import ProgramLibrary

REST_BYTES = 50_000_000  # for predictions, evidence and logs


@dataclass
class Preflight:
    """The checks of one submission. `run` fills in what they find."""

    lock: Lock
    config: ResolvedConfig
    library: ProgramLibrary
    test: UnlabelledFile | None = None
    is_resumed: bool = False
    accept: tuple[str, ...] = ()  # rules of the competition that the user chooses to break, beside the lock's
    accepted: dict[str, str] = field(default_factory=dict)  # the rules that are broken so
    passed: dict[str, str] = field(default_factory=dict)  # what each check found

    def run(self) -> "Preflight":
        """Run every check.

        Raises:
            UsageError, PodiumError: the checks that failed, each with what to do; nothing was written.
        """
        self._all(
            {
                "imports": check_imports,
                "folder": self._write_to_folder,
                "model": self._find_model,
                "device": self._compute,
            }
        )
        # An attempt that was claimed within the rules may end after the competition's last day.
        self._all({"hashes": self._verify} | ({} if self.is_resumed else {"rules": self._keep_rules}))
        self._all({"data": self._load})
        self._all({"memory": self._compare_memory, "disk": self._compare_disk, "time": self._compare_time})
        return self

    def _all(self, checks: Mapping[str, Callable[[], str]]) -> None:
        """Run checks that do not need each other, and raise for all that failed."""
        failed: list[PodiumError] = []
        for name, check in checks.items():
            try:
                self.passed[name] = check()
            except PodiumError as error:
                failed.append(error)
        if len(failed) == 1:
            raise failed[0]
        if failed:
            raise UsageError("; ".join(f"({n}) {error}" for n, error in enumerate(failed, start=1)))

    def _write_to_folder(self) -> str:
        folder = submission_dir(self.lock.name)
        try:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".tmp") as file:
                file.write(b"podium")
                file.flush()
        except OSError as error:
            raise UsageError(
                f"{folder} cannot be written ({error.strerror or error}); free some space, or make it writable"
            ) from error
        return "writable"

    def _find_model(self) -> str:
        model, tokenizer = find_files(self.config.model)
        return f"{self.config.model.source}, files in {model}" + (
            "" if tokenizer == model else f", tokenizer in {tokenizer}"
        )

    def _compute(self) -> str:
        """Compute something on the device, because one that is listed need not work."""
        if self.config.device.distributed:
            raise UsageError("device.distributed=true: a submission runs in one process; lock a config without it")
        self.device: DeviceInfo = select(self.config.device)
        use_compile_cache()
        try:
            found = float(jnp.sum(jnp.ones((64, 64)) @ jnp.ones((64, 64))))
        except jax.errors.JaxRuntimeError as error:
            raise UsageError(
                f"{self.device} is there, but does not compute ({one_line(error, 200)}); end other programs that use "
                "it, or start another machine"
            ) from error
        if found != 64**3:
            raise UsageError(f"{self.device} computes wrong results ({found:g} instead of {64**3}); use another one")
        return f"{self.device} computes"

    def _verify(self) -> str:
        verify_inputs(self.lock)
        return f"{len(self.lock.hashes)} inputs are as locked"

    def _keep_rules(self) -> str:
        accept = {*self.accept, *(self.lock.accepted or {})}
        self.accepted = broken_rules(self.config, accept, self.lock.submission_s)
        if self.config.budget.competition is None:
            return "the config names no competition"
        broken = "".join(f"; accepted: {line}" for line in self.accepted.values())
        return f"those of {self.config.budget.competition}{broken}"

    def _load(self) -> str:
        """Read every input, so that one that cannot be read, or an item that cannot be judged, is found now."""
        self.targets: dict[str, Sequence[Prompt]] = evidence.targets(self.config, self.test)
        trainset = self.library.trainset(self.config)
        prompts = [prompt for chosen in self.targets.values() for prompt in chosen]
        check_prompts(self.config, prompts, self.library)
        judge = get_scorer(evidence.chosen_scorer(self.config))
        for sample in () if self.test else evidence.to_predict(self.config):
            judge.check(sample)
        return f"{trainset.n_examples} examples to train on, {len(prompts)} prompts to answer"

    def _compare_memory(self) -> str:
        """Compare what a step needs in any case with the free memory; activations are an estimate, so they are free."""
        program = self.library.training_program(self.config)
        memory = program.memory_of(max(self.library.trainset(self.config).lengths))
        loaded = tree_bytes(program.base.params) if self.config.lora.enabled else 0  # already in memory
        needed, free = memory.weights + memory.optimizer + memory.gradients - loaded, free_bytes(self.config)
        if free is not None and needed > free:
            raise UsageError(
                f"a training step needs {memory}, and only {gb(free)} of memory are free; end other programs, or use "
                "a machine with more memory"
            )
        return f"a step needs {memory}" + ("" if free is None else f", {gb(free)} free")

    def _compare_disk(self) -> str:
        program, folder = self.library.training_program(self.config), submission_dir(self.lock.name)
        # The newest ones, the best one, and the one that is being written; a resumed run has some of them already.
        n_checkpoints = 1 if self.is_resumed else self.config.train.keep_checkpoints + 2
        needed = n_checkpoints * tree_bytes((program.trainable, program.opt_state), whole=True) + REST_BYTES
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise UsageError(
                f"the checkpoints in {folder} need {gb(needed)}, and {gb(free)} of the disk are free; free some space"
            )
        return f"{gb(needed)} needed, {gb(free)} free"

    def _compare_time(self) -> str:
        """Compare the budget with the projection in the lock. This machine may be faster or slower."""
        budget = self.lock.budget
        projected_s = self.lock.submission_s
        left_s = budget.time_budget_s - budget.reserve_s
        if projected_s is None:
            return f"{format_duration(left_s)} before the reserve; the lock has no projection of what is needed"
        line = f"{format_duration(projected_s)} projected from the trial, {format_duration(left_s)} before the reserve"
        more = "; training will be truncated unless this machine is faster"
        return line + more if projected_s > left_s else line
