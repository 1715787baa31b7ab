"""`podium doctor`."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from podium.cli.tables import print_json
from podium.core.wording import counted

if TYPE_CHECKING:
    from podium.doctor.finding import Finding

COLOURS = {"ok": "green", "note": "yellow", "broken": "red"}
INDENT = 24  # columns before what was found


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Check this machine: devices, versions, disk, stores, tokens, network, quota. Exit code 1: broken."""
    from podium.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            _show(finding)
    n_broken = sum(finding.status == "broken" for finding in findings)
    if as_json:
        print_json({"broken": n_broken, "findings": [asdict(finding) for finding in findings]})
    else:
        n_notes = sum(finding.status == "note" for finding in findings)
        typer.echo(f"\n{counted(len(findings), 'finding')}: {n_broken} broken, {counted(n_notes, 'note')}")
    if n_broken:
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    from rich.text import Text

    from podium.cli.terminal import columns, console

    width = columns()
    status = Text(finding.status.ljust(8), COLOURS[finding.status])
    console().print(status + Text(finding.check.ljust(INDENT - 8) + _wrapped(finding.line, width)), soft_wrap=True)
    if finding.fix:
        typer.echo(" " * (INDENT - 5) + "fix: " + _wrapped(finding.fix, width))


def _wrapped(text: str, width: int | None) -> str:
    """The text in lines of `width` less the indent, if that is known; no word is broken, so paths can be copied."""
    room = max(30, (width or 10_000) - INDENT)
    return ("\n" + " " * INDENT).join(textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False))
