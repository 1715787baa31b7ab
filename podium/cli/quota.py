"""`podium quota`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from podium.core.budgets.quota import Quotas, Week


def quota(
    profile: Annotated[
        str | None, typer.Option(metavar="PROFILE", help="Only the quota that this profile draws on.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, in quota-seconds.")] = False,
) -> None:
    """Show the week's accelerator quota: used, reserved for locked submissions, and left."""
    from podium.core.budgets.profiles import load_profile
    from podium.core.budgets.quota import quotas, unmetered

    chosen = load_profile(profile, "--profile") if profile else None
    if chosen and not chosen.quota:
        raise unmetered(chosen)
    found = quotas()
    weeks = [week for name, week in found.weeks.items() if chosen is None or chosen.quota == name]
    if as_json:
        print_json({"quotas": [_values(week) for week in weeks], "notes": list(found.notes)})
        return
    _show(weeks, found)


def _show(weeks: list[Week], found: Quotas) -> None:
    from podium.core.budgets.projection import hours, hours_left

    print_table(
        ("quota", "a week", "used", "reserved", "left", "for sweeps"),
        [
            (
                week.quota,
                hours(week.total_s),
                hours(week.used_s),
                hours(week.reserved_s),
                hours_left(week.left_s),
                hours_left(week.free_s),
            )
            for week in weeks
        ],
    )
    for week in weeks:
        typer.echo(f"{week.quota}: {week.window}")
        for reserve in week.reserves:
            typer.echo(f"{week.quota}: {hours(reserve.quota_s)} reserved for submission {reserve.name}, not yet run")
        if week.difference:
            typer.echo(f"{week.quota}: {week.difference}")
    for note in found.notes:
        typer.echo(f"note: {note}")


def _values(week: Week) -> dict[str, Any]:
    return {
        "quota": week.quota,
        "total_s": week.total_s,
        "used_s": week.used_s,
        "reserved": {reserve.name: reserve.quota_s for reserve in week.reserves},
        "left_s": week.left_s,
        "for_sweeps_s": week.free_s,
        "since": week.since.isoformat(timespec="seconds"),
        "window": week.window,
        "kaggle": None if week.kaggle is None else {"used_s": week.kaggle.used_s, "left_s": week.kaggle.left_s},
        "difference": week.difference,
    }
