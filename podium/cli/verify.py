"""`podium verify`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from podium.cli.completion import submissions
from podium.cli.run_dir import RunDir, chosen
from podium.cli.tables import print_json
from podium.core.errors import PodiumError
from podium.core.wording import counted


def verify(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|DIR|ZIP", autocompletion=submissions, help="A submission, the folder of a run, or a package."
        ),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="LOCK_ID", help="The published lock id, or its beginning."),
    ] = None,
    replay: Annotated[
        int | None, typer.Option("--replay", min=1, metavar="N", help="Train N steps again, and compare the losses.")
    ] = None,
    allowed_signers: Annotated[
        Path | None,
        typer.Option("--allowed-signers", metavar="FILE", help="Who may have signed (ssh-keygen)."),
    ] = None,
    run_dir: RunDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a run or a package: its hashes and keys, and its score from the predictions. Exit code 1: a fault."""
    from podium.submission.packaging.target import verify as check

    what = chosen(target, run_dir)
    report = check(what, expect, replay, allowed_signers)
    if as_json:
        print_json({"passed": report.passed, "checks": [asdict(found) for found in report.checks]})
    else:
        for found in report.checks:
            typer.echo(f"{'ok' if found.passed else 'FAILED':<8}{found.name}: {found.line}")
    if not report.passed:
        raise PodiumError(f"{what} does not verify: {counted(len(report.problems), 'fault')} in its checks")
    if not as_json:
        typer.echo(f"{what} verifies: {counted(len(report.checks), 'check')}")
