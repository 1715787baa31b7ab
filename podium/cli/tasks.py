"""`podium --help`: the commands by what a user wants to do, each with the first clause of its help."""

import re
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# In the order in which a new user needs them. A command that is not in here is listed under OTHERS.
TASKS = {
    "Start": ("demo", "init", "doctor", "config"),
    "Make data": ("trainset", "evalset"),
    "Train one run": ("train", "predict", "score", "export"),
    "Search": ("space", "plan", "sweep", "watch", "stop", "quota"),
    "Look": ("studies", "show", "trials", "importance", "compare", "leaderboard", "report", "ui", "repair"),
    "Submit": ("promote", "submit", "package", "verify"),
    "Kaggle": ("kaggle",),
}
OTHERS = "Other commands"
_BRACES = re.compile(r"\{(.*)\}")
_CLAUSE_END = re.compile(r"[.:;](?:\s|$)")


class PlainCommand(TyperCommand):
    """A command whose help names its arguments as messages do, without the types that Typer adds."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [_BRACES.sub(r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        rows: dict[str, list[tuple[str, str]]] = {"argument": [], "option": []}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                kind = parameter.param_type_name
                rows[kind].append((parameter.metavar or record[0], record[1]) if kind == "argument" else record)
        for kind, records in rows.items():
            if records:
                with formatter.section(f"{kind.title()}s"):
                    formatter.write_dl(records)


class ClauseGroup(TyperGroup):
    """A group whose help has the first clause about each command, where Typer would cut a sentence.

    Without a command, it shows its help, and that is wrong usage.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            raise typer.Exit(2)
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (typer's own signature)
        with formatter.section("Commands"):
            formatter.write_dl([(name, first_clause(command.help)) for name, command in self.commands.items()])


class TaskGroup(TyperGroup):
    """The group of all commands; its help lists them by task."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (typer's own signature)
        known = [name for names in TASKS.values() for name in names if name in self.commands]
        return [*known, *(name for name in self.commands if name not in known)]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        tasks = {task: [name for name in names if name in self.commands] for task, names in TASKS.items()}
        known = {name for names in tasks.values() for name in names}
        tasks[OTHERS] = [name for name in self.list_commands(ctx) if name not in known]
        width = max(map(len, self.commands))
        for task, names in tasks.items():
            if names:
                with formatter.section(task):
                    formatter.write_dl([(name.ljust(width), first_clause(self.commands[name].help)) for name in names])


def first_clause(text: str | None) -> str:
    """The text up to its first full stop, colon or semicolon."""
    return _CLAUSE_END.split(" ".join((text or "").split()), maxsplit=1)[0]


def plain_help(app: typer.Typer) -> None:
    """Make every command of `app` a PlainCommand."""
    for command in app.registered_commands:
        command.cls = PlainCommand
    for group in app.registered_groups:
        assert group.typer_instance is not None
        plain_help(group.typer_instance)
