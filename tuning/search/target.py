"""Whether the submission of a trial fits on the machine that the space names as its `target`."""

from podium.core.config import RunConfig
from podium.core.errors import PodiumError
from podium.core.resolved import open_keys


def check_target(target: str) -> None:
    """Raises UsageError, with the command that installs it, if the compiler for `target` is missing."""
    from trainer.plan.target import find_target
    from trainer.plan.tools import check_tools

    check_tools(find_target(target).accelerator.kind)


def misfit(config: RunConfig, target: str) -> str | None:
    """Why a run of `config` does not fit on all devices of `target`; None if it does.

    Compiles what has not been compiled before, in child processes, so that no device of this process is used.

    Raises:
        UsageError: as `check_target` does.
        PodiumError: a program cannot be compiled.
    """
    from eval.sets.evalset import load_evalset
    from trainer.plan.plan import make_plan
    from trainer.plan.target import find_target

    prompts = load_evalset(config.eval.evalset).samples if open_keys(config) else ()
    reason = make_plan(config, find_target(target), prompts).reason
    return None if reason is None else f"does not fit on {target}: {reason}"


def refuse_misfit(config: RunConfig, target: str, trial: int) -> None:
    """Raises PodiumError if a run of trial `trial` does not fit on `target`."""
    if reason := misfit(config, target):
        raise PodiumError(f"trial {trial} {reason}; nothing was locked, choose another with --trial")
