"""The reference pages of the documents, written from the code: `python -m podium.cli.reference`.

A test compares the files with what this module writes.
"""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from typer.main import get_command

from podium.core.config import RunConfig, keys_with_role
from podium.core.config_sections import Role
from podium.core.files import write_text
from podium.core.paths import shipped

FOLDER = "docs/reference"
GENERATED = "<!-- Written by `python -m podium.cli.reference`; do not edit. -->\n"
WIDTH = 100  # columns of a help page
CONFIG_INTRO = """
Every key of a base config, and so of `--set` and of a search space. A key in bold changes the compiled program: trials
with different values are compiled apart. A key in italics is an input of the compiled step, so new values compile
nothing. The others have no effect on it.

"""


def pages() -> dict[str, str]:
    """The text of each page by its file name."""
    return {"commands.md": commands_page(), "config.md": config_page()}


def commands_page() -> str:
    """The help of every command, as `podium COMMAND --help` prints it."""
    blocks = [
        f"## podium {name}\n\n```text\n{help_of(name.split())}```\n"
        for name in sorted(_names(_app()))
        if name != "podium"
    ]
    intro = "# Commands\n\n" + GENERATED + "\nThe help of every command, as `podium COMMAND --help` prints it.\n"
    exits = "\nExit codes: 0 for success, 1 for a failed run, 2 for wrong usage, 130 for Ctrl-C.\n"
    return intro + exits + f"\n```text\n{help_of([])}```\n\n" + "\n".join(blocks)


def help_of(arguments: list[str]) -> str:
    """What `podium ARGUMENTS --help` prints when it is not on a terminal."""
    from podium.cli.main import app

    printed = io.StringIO()
    # Typer has no argument for the width of a page.
    with mock.patch.dict(os.environ, {"COLUMNS": str(WIDTH), "NO_COLOR": "1"}), contextlib.redirect_stdout(printed):
        app([*arguments, "--help"], standalone_mode=False, prog_name="podium")
    return printed.getvalue()


def _app() -> Any:
    from podium.cli.main import app

    return get_command(app)


def _names(command: Any, parent: str = "") -> Iterator[str]:
    for name, child in getattr(command, "commands", {}).items():
        full = f"{parent} {name}".strip()
        if not getattr(child, "hidden", False):
            yield full
            yield from _names(child, full)


def config_page() -> str:
    """Every key of a config with its type, default and meaning."""
    schema = RunConfig.model_json_schema()
    sections = [_section(name, schema["$defs"], part) for name, part in schema["properties"].items() if "$ref" in part]
    own = f"## own\n\n`own.NAME`: {schema['properties']['own']['description']}.\n"
    return "# Config\n\n" + GENERATED + CONFIG_INTRO + "\n".join([*sections, own])


def _section(name: str, definitions: Mapping[str, Any], part: Mapping[str, Any]) -> str:
    section = definitions[part["$ref"].rpartition("/")[2]]
    rows = [_row(f"{name}.{key}", field, definitions) for key, field in section["properties"].items()]
    head = "| key | type | default | meaning |\n|---|---|---|---|\n"
    return f"## {name}\n\n{_one_line(section['description'])}\n\n{head}" + "\n".join(rows) + "\n"


def _row(key: str, field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    shown = (
        f"**`{key}`**"
        if key in keys_with_role(Role.PROGRAM)
        else f"*`{key}`*"
        if key in keys_with_role(Role.TRACED)
        else f"`{key}`"
    )
    default = "" if field.get("default") is None else f"`{_plain(field['default'])}`"
    return f"| {shown} | {_kind(field, definitions)} | {default} | {_one_line(field.get('description', ''))} |"


def _kind(field: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(kind, definitions) for kind in field["anyOf"] if kind != {"type": "null"})
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2].lower()
    if "enum" in field or "const" in field:
        return ", ".join(f"`{_plain(value)}`" for value in field.get("enum", [field.get("const")]))
    if field["type"] == "array":
        return f"list of {_kind(field['items'], definitions)}" if field.get("items") else "list"
    names = {"integer": "int", "number": "float", "string": "text", "boolean": "bool", "object": "mapping"}
    limits = {"minimum": ">= {}", "exclusiveMinimum": "> {}", "maximum": "<= {}", "exclusiveMaximum": "< {}"}
    return " ".join(
        [names[field["type"]], *(text.format(_plain(field[key])) for key, text in limits.items() if key in field)]
    )


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def write(folder: Path) -> None:
    """Write the pages into a folder."""
    for name, text in pages().items():
        write_text(folder / name, text)


if __name__ == "__main__":
    write(shipped() / FOLDER)
