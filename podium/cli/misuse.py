"""Wrong arguments of a command as one line: what was received, the rule, and whose help to read."""

from __future__ import annotations

from typing import Any

import typer


def misuse_line(error: typer.TyperException) -> str:
    """`--trials 'x': must be a valid integer; see `podium sweep --help``."""
    context: Any = getattr(error, "ctx", None)
    command = context.command_path if context else "podium"
    return f"{_problem(error)}; see `{command} --help`"


def _problem(error: typer.TyperException) -> str:
    found: Any = getattr(error.__cause__, "errors", list)()  # pydantic has checked the value
    parameter: Any = getattr(error, "param", None)
    if not found or parameter is None:
        message = error.format_message().rstrip(".?").replace(". Did", "; did").replace("argument(s)", "argument")
        return message[:1].lower() + message[1:]
    from podium.core.config import rule_of
    from podium.core.redaction import shown

    name = parameter.opts[0] if parameter.param_type_name == "option" else parameter.metavar
    rule = rule_of(found[0]["msg"]).rstrip(".")
    if " is not one of " in rule:
        rule = f"must be one of {rule.split(' is not one of ')[1]}"
    return f"{name} {shown(found[0]['input'])}: {rule}"
