"""`podium plan`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.tables import print_json, print_table
from podium.core.duration import parse_duration
from podium.core.wording import counted

if TYPE_CHECKING:
    from trainer.plan.plan import Change, Plan
    from trainer.plan.program import Program
    from trainer.plan.target import Target

COLUMNS = ("program", "devices", "arguments GB", "temporaries GB", "total GB", "fits")


def plan(
    what: Annotated[str, typer.Argument(metavar="CONFIG|SPACE|STUDY|NAME", help="What is to run.")],
    on: Annotated[str, typer.Option("--on", metavar="TARGET", help="A budget profile, v5e:2x4, or t4.")],
    chips: Annotated[
        int | None,
        typer.Option("--chips", min=1, metavar="N", help="Devices that one run uses; default: all of the target's."),
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a config key. May be repeated.")
    ] = None,
    most: Annotated[
        int, typer.Option(metavar="N", min=1, help="Compile at most this many configurations of a space.")
    ] = 16,
    compile_limit: Annotated[
        str, typer.Option(metavar="TIME", help="Give up on a program that takes longer to compile.")
    ] = "15m",
    fix: Annotated[bool, typer.Option(help="Look for the smallest change that fits.")] = True,
    measure: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Run N steps and N items here, and project the time."),
    ] = None,
    device_factor: Annotated[
        float | None,
        typer.Option(metavar="FACTOR", help="How many times as fast as the measured device the target is."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether a run fits a machine that is not here: compile all of its programs for it. Exit code 1 if not."""
    from podium.cli import plan_time
    from podium.core.config import parse_assignment
    from podium.planned import find_planned
    from trainer.plan.plan import make_plan, smallest_change
    from trainer.plan.target import find_target

    target = find_target(on)
    target = target if chips is None else target.with_count(chips)
    found = find_planned(what, dict(parse_assignment(text) for text in assignments or ()), most)
    limit_s = parse_duration(compile_limit)
    plans, change = [], None
    for config in found.configs:
        plans.append(make_plan(config, target, found.prompts(config), limit_s, _progress(as_json)))
        if fix and change is None and not plans[-1].fits:
            change = smallest_change(plans[-1], found.prompts(config), limit_s)
    times = plan_time.plan_time(what, found.configs[0], on, measure, device_factor)
    if as_json:
        print_json({**_values(plans, change), "time": plan_time.values(times)})
    else:
        _show(target, found.note, plans, change if fix else None, fix)
        for line in plan_time.lines(times):
            typer.echo(line)
        if not isinstance(times, str):
            print_table(plan_time.COLUMNS, plan_time.rows(times))
    if not all(each.fits for each in plans):
        raise typer.Exit(1)


def _progress(quiet: bool) -> Any:
    """Says on standard error what has been compiled, since a plan takes minutes."""
    return lambda program: None if quiet else typer.echo(f"compiled {program.label}", err=True)


def _show(target: Target, note: str | None, plans: list[Plan], change: Change | None, fix: bool) -> None:
    from trainer.plan.plan import notes

    limit = plans[0].limit
    available = "of unknown memory" if limit is None else f"with {limit / 1e9:.2f} GB for a program"
    typer.echo(f"target: {target.name}, {target}, {available}")
    for line in [*notes(plans[0].config, target), *([note] if note else [])]:
        typer.echo(f"note: {line}")
    rows = {_row(program, each.limit): None for each in plans for program in each.programs}
    print_table(COLUMNS, list(rows))
    failed = [each for each in plans if not each.fits]
    if not failed:
        typer.echo(f"fits: all {counted(len(rows), 'program')}")
        return
    for each in failed:
        typer.echo(f"does not fit: {each.reason}")
    if change:
        largest = max(change.plan.programs, key=lambda program: program.total)
        typer.echo(f"fits with {change.arguments}: at most {largest.total / 1e9:.2f} GB, in {largest.label}")
    elif fix:
        typer.echo("no change that Podium knows makes it fit; choose a smaller model or more devices")


def _row(program: Program, limit: int | None) -> tuple[str, ...]:
    from trainer.plan.plan import fits, misfit

    data, fsdp = program.devices
    temporaries = "?" if program.temporaries is None else f"{program.temporaries / 1e9:.2f}"
    total = "?" if program.temporaries is None else f"{program.total / 1e9:.2f}"
    verdict = "yes" if fits(program, limit) else f"no: {misfit(program, limit)}"
    return program.label, f"{data} x {fsdp}", f"{program.arguments / 1e9:.2f}", temporaries, total, verdict


def _values(plans: list[Plan], change: Change | None) -> dict[str, Any]:
    return {
        "target": asdict(plans[0].target),
        "limit_bytes": plans[0].limit,
        "fits": all(each.fits for each in plans),
        "plans": [
            {
                "program_key": each.config.program_key,
                "reason": each.reason,
                "programs": [{**program.model_dump(mode="json"), "total": program.total} for program in each.programs],
            }
            for each in plans
        ],
        "change": None if change is None else dict(change.overrides),
    }
