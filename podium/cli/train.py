"""`podium train`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.interrupts import Interrupts, catch_interrupts
from podium.cli.processes import only_first_prints
from podium.core.clock import Deadline, MonotonicClock
from podium.core.duration import format_duration, parse_duration
from podium.core.errors import PodiumError, UsageError
from podium.core.paths import find_file
from podium.core.run_files import CHECKPOINTS, CONFIG, PREDICTIONS
from podium.core.states import State
from podium.core.wording import counted

if TYPE_CHECKING:
    from podium.core.config import RunConfig
    from podium.core.records import Report
    from podium.core.resolved import ResolvedConfig
    from trainer.device.devices import DeviceInfo
    from trainer.loop import TrainResult
    from trainer.programs.library import ProgramLibrary

GRACE_S = 8.0  # from a signal to the end of the process, even during a compilation
SMOKE_HELP = "Test the whole run with N steps, batch 1, at most 128 tokens and Adafactor."


def train(
    config: Annotated[str, typer.Argument(metavar="CONFIG.yaml", help="Config of the run; see search_spaces/base/.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the run.")],
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a config key. May be repeated.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(metavar="N", help="Same as --set train.max_steps=N.")] = None,
    save_every_steps: Annotated[
        int | None, typer.Option(metavar="N", help="Same as --set train.save_every_steps=N.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="auto, cpu, gpu or tpu; no fallback to another.")
    ] = None,
    smoke_steps: Annotated[int | None, typer.Option(min=1, metavar="N", help=SMOKE_HELP)] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the newest checkpoint in --out.")] = False,
    time_budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Such as 1h30m; start-up and compilation count.")
    ] = None,
) -> None:
    """Train one configuration; checkpoints, metrics and provenance are written to --out."""
    clock = MonotonicClock()
    started_s = clock.now()
    from podium.core.config import load_config, parse_assignment

    overrides: dict[str, Any] = dict(parse_assignment(text) for text in assignments or ())
    shortcuts = {
        "train.max_steps": max_steps,
        "train.save_every_steps": save_every_steps,
        "device.kind": device,
        "budget.time_budget_s": None if time_budget is None else parse_duration(time_budget),
    }
    overrides |= {key: value for key, value in shortcuts.items() if value is not None}
    asked = load_config(find_file(config), overrides)
    if smoke_steps is not None and resume:
        raise UsageError("--smoke-steps with --resume: a smoke run cannot resume a run; choose another --out")
    from trainer.device.devices import select

    found = select(asked.device, preallocate=smoke_steps is None)
    only_first_prints()
    asked = _dated(asked, out, resume)
    if smoke_steps is not None:
        from trainer.run.smoke import smoke_config

        asked = smoke_config(asked, smoke_steps, found.count)
    library, run_config = _prepare(asked, found, out, resume, is_smoke=smoke_steps is not None)
    deadline = _deadline(run_config, clock, started_s)
    with catch_interrupts(GRACE_S) as interrupts:
        from trainer.loop import train as train_run

        if run_config.train.fit_schedule:
            run_config = _fit(run_config, out, library, deadline, interrupts)
        result = train_run(
            run_config,
            out,
            library=library,
            deadline=deadline,
            resume=resume,
            stop=interrupts.requested,
            on_log=lambda report: typer.echo(_line(report, run_config)),
        )
    _finish(result, run_config, out, interrupts)
    if result.state is State.COMPLETE and smoke_steps is None:
        typer.echo(f"next: podium predict --run {out} --evalset NAME --out {out / PREDICTIONS}")


def _dated(config: RunConfig, out: Path, resume: bool) -> RunConfig:
    """The config with the date that its chat template writes: that of the run to resume, or today's."""
    from podium.core.config import load_config
    from trainer.device.processes import from_first
    from trainer.run.chat_date import today, with_date, with_date_of

    if resume and (out / CONFIG).exists():
        return with_date_of(config, load_config(out / CONFIG))
    return with_date(config, date.fromordinal(int(from_first(today().toordinal()))))


def _prepare(
    asked: RunConfig, found: DeviceInfo, out: Path, resume: bool, is_smoke: bool
) -> tuple[ProgramLibrary, ResolvedConfig]:
    """Check the inputs and find the sizes before a file is written, and print device, model, trainset and memory."""
    from eval.sets.evalset import load_evalset
    from podium.core.config import load_config
    from podium.core.resolved import sizes_line, with_sizes_of
    from trainer.device.devices import compute_dtype, use_compile_cache
    from trainer.device.sharding import describe_mesh
    from trainer.loop import holds_run
    from trainer.programs.library import ProgramLibrary
    from trainer.run.smoke import MAX_SEQ_LEN

    if not resume and holds_run(out):
        raise UsageError(f"--out {out} already holds a run; pass --resume to continue it, or choose another folder")
    library = ProgramLibrary()
    if (out / CONFIG).is_file():
        asked = with_sizes_of(asked, load_config(out / CONFIG))
    most = MAX_SEQ_LEN if is_smoke else None
    config = library.resolve(asked, lambda: load_evalset(asked.eval.evalset).samples, most)
    base, trainset = library.base(config), library.trainset(config)
    use_compile_cache()
    how = f"LoRA of rank {config.lora.rank}" if config.lora.enabled else "all parameters"
    typer.echo(f"device: asked for {config.device.kind}, found {found}{describe_mesh(base.mesh)}")
    day = f" of {config.data.date}" if config.data.date else ""
    chat = f", chat template{day}" if trainset.template == "chat" else ""
    typer.echo(f"model: {base.model_id}, {how}, computed in {compute_dtype(config.train.dtype)}{chat}")
    typer.echo(
        f"trainset: {trainset.name}, {counted(trainset.n_examples, 'example')} "
        f"of up to {config.data.max_seq_len} tokens; "
        f"{trainset.n_truncated} cut, {trainset.n_dropped} left out because no part of their completion fits"
        + (f"; packed into {counted(trainset.n_rows, 'row')}" if config.data.packing else "")
    )
    for note in trainset.notes:
        typer.echo(f"note: {note}")
    if sizes := sizes_line(asked, config):
        typer.echo(f"sizes: {sizes}")
    typer.echo(f"memory: a training step needs {library.training_program(config).memory_of(max(trainset.lengths))}")
    if is_smoke:
        train = config.train
        typer.echo(
            f"smoke run: {counted(train.max_steps, 'step')}, batch {train.batch_size}, {train.optimizer}, "
            "no memory preallocated"
        )
    return library, config


def _fit(
    config: ResolvedConfig, out: Path, library: ProgramLibrary, deadline: Deadline, interrupts: Interrupts
) -> ResolvedConfig:
    """The config with its number of steps fixed, by an earlier session of the run or by measuring."""
    from podium.core.config import load_config
    from trainer.run.fit_schedule import fit_schedule, with_fitted_steps

    if (out / CONFIG).exists():
        return with_fitted_steps(config, load_config(out / CONFIG))
    fit = fit_schedule(config, library, deadline, interrupts.requested)
    measured = "no step was measured" if fit.step_s is None else f"{fit.step_s:.3g} s per step"
    typer.echo(
        f"fit_schedule: {measured}; {fit.config.train.max_steps} of {counted(config.train.max_steps, 'step')} planned"
    )
    return fit.config


def _deadline(config: RunConfig, clock: MonotonicClock, started_s: float) -> Deadline:
    from trainer.device.processes import from_first, shared

    started_s = from_first(started_s)
    if config.budget.time_budget_s is None:
        return Deadline(shared(clock), started_s, None)
    from podium.core.budgets.budget import resolve_budget

    budget = resolve_budget(config.budget)
    return Deadline(shared(clock), started_s, budget.time_budget_s, budget.reserve_s)


def _line(report: Report, config: ResolvedConfig) -> str:
    values = report.metrics
    if report.state is State.RUNNING and report.reason:
        return f"warning: {report.reason}"
    if "train/loss" not in values:
        return f"step {report.step}/{config.train.max_steps}"
    speed = f"  {values['train/tokens_per_s']:,.0f} tokens/s" if "train/tokens_per_s" in values else ""
    return (
        f"step {report.step}/{config.train.max_steps}  loss {values['train/loss']:.4f}  "
        f"learning rate {values['train/learning_rate']:.3g}{speed}  {format_duration(report.elapsed_s)}"
    )


def _finish(result: TrainResult, config: RunConfig, out: Path, interrupts: Interrupts) -> None:
    """Print how the run ended; exit code 1 for a failed run, 130 or 143 for an interrupted one."""
    if result.state is State.INFEASIBLE:
        raise PodiumError(f"infeasible: {result.reason}; nothing was written")
    if result.state in (State.DIVERGED, State.OOM):
        kept = out / CHECKPOINTS
        left = f"the last good checkpoint is in {kept}" if kept.is_dir() else "there is no checkpoint yet"
        raise PodiumError(f"{result.reason}; {left}")
    if interrupts.requested() and result.state is State.STOPPED:
        typer.echo(
            f"{interrupts.name}: stopped after step {result.step}, checkpoint saved; pass --resume to continue it"
        )
        raise typer.Exit(interrupts.exit_code)
    if result.truncated:
        typer.echo(f"{result.reason}: stopped after step {result.step} of {config.train.max_steps} (truncated)")
    loss = "none" if result.final_loss is None else f"{result.final_loss:.4f}"
    typer.echo(
        f"{result.state}: step {result.step}, loss {loss}, {result.tokens:,} tokens "
        f"in {format_duration(result.elapsed_s)}; files in {out}"
    )
