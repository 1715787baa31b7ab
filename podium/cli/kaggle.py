"""`podium kaggle`: export a lock as a notebook, push it, follow it, fetch its output."""

from pathlib import Path
from typing import Annotated

import typer

from podium.cli.completion import submissions
from podium.cli.tasks import ClauseGroup
from podium.core.paths import from_here, submission_dir

app = typer.Typer(cls=ClauseGroup, help="Run a lock on Kaggle: export, push, follow, fetch.")

Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=submissions, help="Name of a locked submission.")]
Sources = list[str] | None


@app.command()
def export(
    name: Name,
    owner: Annotated[
        str | None, typer.Option(metavar="USER", help="Your name on Kaggle; default: KAGGLE_USERNAME.")
    ] = None,
    accelerator: Annotated[
        str | None, typer.Option(metavar="ID", help="none for a CPU session; default: that of the lock's profile.")
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="No internet: attach the wheels of all packages.")] = False,
    python: Annotated[str, typer.Option(metavar="VERSION", help="Python of Kaggle's image, for the wheels.")] = "3.11",
    clone: Annotated[
        str | None, typer.Option(metavar="URL", help="Clone the code from here at the locked commit.")
    ] = None,
    test: Annotated[
        str | None, typer.Option(metavar="FILE", help="Answer the unlabelled items of this file below /kaggle/input.")
    ] = None,
    dataset: Annotated[Sources, typer.Option(metavar="ID", help="Attach OWNER/DATASET. May be repeated.")] = None,
    model: Annotated[
        Sources, typer.Option(metavar="ID", help="Attach OWNER/MODEL/FRAMEWORK/VARIATION/VERSION. May be repeated.")
    ] = None,
    competition: Annotated[Sources, typer.Option(metavar="ID", help="Attach a competition. May be repeated.")] = None,
    image: Annotated[str | None, typer.Option(metavar="IMAGE", help="Pin this Docker image.")] = None,
    accept: Annotated[Sources, typer.Option(metavar="RULE", help="Break this rule of the competition.")] = None,
) -> None:
    """Claim a lock for one run on Kaggle: write its notebook, its code and data, and for --offline its wheels."""
    from podium.submission.kaggle.export import Choices
    from podium.submission.kaggle.export import export as make_export
    from podium.submission.kaggle.exported import folder_of

    made = make_export(
        name,
        Choices(
            owner=owner,
            accelerator=accelerator,
            offline=offline,
            python=python,
            clone=clone,
            test=test,
            datasets=tuple(dataset or ()),
            models=tuple(model or ()),
            competitions=tuple(competition or ()),
            image=image,
            accept=tuple(accept or ()),
        ),
    )
    typer.echo(f"attempt: {made.attempt_id}")
    typer.echo(f"folder: {from_here(folder_of(name))}")
    internet = "on" if made.internet else "off"
    typer.echo(f"notebook: {made.kernel_id}, {made.machine_shape or 'no accelerator'}, internet {internet}")
    typer.echo(f"next: podium kaggle push {name}")


@app.command()
def rehearse(
    name: Name,
    owner: Annotated[str, typer.Option(metavar="USER", help="As for export.")] = "rehearsal",
    accelerator: Annotated[str | None, typer.Option(metavar="ID", help="As for export.")] = None,
    test: Annotated[Path | None, typer.Option(metavar="FILE", help="Unlabelled items to answer.")] = None,
    hidden: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run a second time, with this in place of --test.")
    ] = None,
    sample: Annotated[Path | None, typer.Option(metavar="CSV", help="The competition's sample submission.")] = None,
    attach: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Mount this folder, too.")] = None,
    time_limit: Annotated[str | None, typer.Option(metavar="TIME", help="Of the session, like 30m.")] = None,
    memory_gb: Annotated[float, typer.Option(metavar="GB", min=0.1, help="Memory of the session, in GB.")] = 30.0,
    disk_gb: Annotated[float, typer.Option(metavar="GB", min=0.001, help="Size of its working folder, in GB.")] = 20.0,
    test_mode: Annotated[bool, typer.Option("--test-mode", help="With TEST_MODE = True: 5 items, no claim.")] = False,
) -> None:
    """Execute the notebook in a pretend Kaggle session here; nothing is claimed."""
    from podium.core.budgets.profiles import load_profile
    from podium.core.duration import parse_duration
    from podium.core.errors import PodiumError
    from podium.submission.claim import claim_path
    from podium.submission.kaggle.export import Choices
    from podium.submission.lock import read_lock
    from podium.submission.rehearsal.outcome import Limits, Verdict
    from podium.submission.rehearsal.rehearse import Setting
    from podium.submission.rehearsal.rehearse import rehearse as run_rehearsal

    time_s = parse_duration(time_limit) if time_limit else read_lock(name).budget.time_budget_s
    setting = Setting(
        choices=Choices(owner=owner, accelerator=accelerator, test=None if test is None else test.name),
        limits=Limits(time_s, int(memory_gb * 1e9), int(disk_gb * 1e9)),
        test=test,
        hidden=hidden,
        sample=sample,
        attached=tuple(attach or ()),
        test_mode=test_mode,
    )
    for outcome in run_rehearsal(name, setting):
        for line in outcome.isolation:
            typer.echo(line)
        typer.echo(f"notebook: {from_here(outcome.folder / 'executed.ipynb')}")
        if outcome.evidence:
            typer.echo(f"evidence: {from_here(outcome.evidence)}")
        if outcome.verdict is not Verdict.SUCCEEDED:
            raise PodiumError(f"{outcome.line}; Kaggle would call this {outcome.verdict!s}")
        typer.echo(f"Kaggle would call this {outcome.verdict}: {outcome.line}")
    if not test_mode and not claim_path(submission_dir(name)).is_file():
        cpu = " --accelerator none" if load_profile(read_lock(name).budget.profile).accelerator is None else ""
        typer.echo(f"next: podium kaggle export {name} --owner USER{cpu}")


@app.command()
def push(name: Name) -> None:
    """Upload the datasets and push the notebook, which starts its run."""
    from podium.submission.kaggle import command
    from podium.submission.kaggle.exported import read_export

    made = read_export(name)
    _run(command.push_calls(made))
    typer.echo(f"notebook: {made.url}")
    typer.echo(f"next: podium kaggle status {name}")


@app.command()
def status(name: Name) -> None:
    """Show how far the run on Kaggle is."""
    from podium.submission.kaggle import command
    from podium.submission.kaggle.exported import read_export

    _run(command.status_calls(read_export(name)))
    typer.echo(f"next, once it is complete: podium kaggle pull {name}")


@app.command()
def pull(
    name: Name,
    to: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder to write; default: beside the export.")
    ] = None,
) -> None:
    """Fetch the zip with the evidence."""
    from podium.submission.kaggle import command
    from podium.submission.kaggle.exported import folder_of, read_export

    folder = to or folder_of(name) / "output"
    _run(command.pull_calls(read_export(name), folder))
    typer.echo(f"next: podium kaggle collect {from_here(folder)}/podium_{name}_evidence.zip --as {name}")


@app.command()
def collect(
    source: Annotated[Path, typer.Argument(metavar="FOLDER|ZIP", help="What `podium kaggle pull` fetched.")],
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="The submission that was exported.")],
    notebook_url: Annotated[str | None, typer.Option(metavar="URL", help="Address of the notebook's run.")] = None,
    notebook_version: Annotated[str | None, typer.Option(metavar="N", help="Version of the notebook.")] = None,
) -> None:
    """Verify the evidence of the run, and put it into the submission's folder."""
    from podium.cli.submit import mirror
    from podium.core.errors import PodiumError
    from podium.submission.kaggle.collect import collect as collect_evidence

    found = collect_evidence(source, name, notebook_url, notebook_version)
    if found.conflict:
        raise PodiumError(
            f"submission {name!r} has another result already; this one is kept in {found.folder} and does not count"
        )
    typer.echo(f"{name}: {found.manifest.state}, " + ("collected" if found.is_new else "was already collected"))
    if found.manifest.reason:
        typer.echo(f"reason: {found.manifest.reason}")
    mirror(name)
    if found.manifest.has_evidence:
        typer.echo(f"next: podium package {name}")


def _run(calls: "list") -> None:  # type: ignore[type-arg]
    """Run the calls, or print them if the command cannot be called."""
    from podium.submission.kaggle import command

    if why := command.is_configured():
        typer.echo(f"{why}; then type:")
        for call in calls:
            typer.echo(f"  {call}")
            if call.instead is not None:
                typer.echo(f"  (if it exists already: {command.Call(call.instead)})")
    elif said := command.run(calls):
        typer.echo(said)
