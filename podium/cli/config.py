"""`podium config`."""

from typing import Annotated, Any

import typer

from podium.cli.tables import print_json, print_table
from podium.cli.tasks import ClauseGroup
from podium.core import settings
from podium.core.redaction import redact

app = typer.Typer(cls=ClauseGroup, help="Show the settings of Podium on this machine.")


@app.callback()
def _group() -> None:
    """Keeps `show` a command of its own while it is the only one."""


@app.command("show")
def show(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Each setting's value and where it is from: environment, project's file, user's file, or default."""
    rows = [_home(), *(_row(setting) for setting in settings.SETTINGS)]
    project, user = settings.files()
    if as_json:
        print_json({"settings": rows, "project_file": str(project), "user_file": str(user)})
        return
    shown = [(row["setting"], row["value"] or f"({row['default']})", row["source"], row["meaning"]) for row in rows]
    print_table(("setting", "value", "from", "what it is"), shown)
    for whose, file in (("project", project), ("user", user)):
        typer.echo(f"{whose}'s file: {file}{'' if file.is_file() else ' (not there)'}")
    for name in settings.unknown_variables():
        typer.echo(f"note: {name} is set, but no setting has that variable; check its spelling")


def _home() -> dict[str, Any]:
    """The folder that has the project's file; it is no setting, but it comes first."""
    is_set = settings.variable("PODIUM_HOME") is not None
    return {
        "setting": "home",
        "value": str(settings.home_folder()),
        "source": "PODIUM_HOME" if is_set else settings.DEFAULT,
        "variable": "PODIUM_HOME",
        "default": "the current folder",
        "meaning": "your data, spaces and submissions",
    }


def _row(setting: settings.Setting) -> dict[str, Any]:
    found = settings.find(setting.name)
    return {
        "setting": setting.name,
        "value": None if found.value is None else redact(found.value),
        "source": found.source,
        "variable": setting.variable,
        "default": setting.default,
        "meaning": setting.meaning,
    }
