"""`podium`: registers the commands, and reports every failure as one line and an exit code."""

import os
import sys
import traceback

# Set before any library is imported: no messages, no telemetry.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

if not sys.stderr.isatty():
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import typer

import podium
from podium.cli import (
    compare,
    config,
    demo,
    doctor,
    evalset,
    export,
    importance,
    init,
    kaggle,
    leaderboard,
    package,
    plan,
    predict,
    promote,
    quota,
    repair,
    report,
    score,
    show,
    space,
    stop,
    studies,
    submit,
    sweep,
    train,
    trainset,
    trials,
    ui,
    verify,
    watch,
)
from podium.cli.misuse import misuse_line
from podium.cli.output import tolerate_closed_output
from podium.cli.tasks import TaskGroup, plain_help
from podium.cli.terminal import safe_output
from podium.core.errors import LONGEST, PodiumError
from podium.core.redaction import one_line, shortened

app = typer.Typer(
    help="Sweep, compare, promote one trial, and run it exactly once.",
    invoke_without_command=True,
    cls=TaskGroup,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
# podium/cli/tasks.py groups them in the help.
app.command("demo")(demo.demo)
app.command("init")(init.init)
app.command("doctor")(doctor.doctor)
app.add_typer(config.app, name="config")
app.add_typer(trainset.app, name="trainset")
app.add_typer(evalset.app, name="evalset")
app.command("train")(train.train)
app.command("predict")(predict.predict)
app.command("score")(score.score)
app.add_typer(space.app, name="space")
app.command("plan")(plan.plan)
app.command("sweep")(sweep.sweep)
app.command("watch")(watch.watch)
app.command("stop")(stop.stop)
app.command("studies")(studies.studies)
app.command("show")(show.show)
app.command("trials")(trials.trials)
app.command("importance")(importance.importance)
app.command("compare")(compare.compare)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("export")(export.export)
app.command("ui")(ui.ui)
app.command("report")(report.report)
app.command("repair")(repair.repair)
app.command("quota")(quota.quota)
app.command("promote")(promote.promote)
app.command("submit")(submit.submit)
app.add_typer(kaggle.app, name="kaggle")
app.command("package")(package.package)
app.command("verify")(verify.verify)
plain_help(app)


@app.callback()
def options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error; works anywhere on the line."),
) -> None:
    del debug  # main() has read it, because it may also stand after the command
    if version:
        typer.echo(f"podium {podium.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(2)


def main(arguments: list[str] | None = None) -> None:
    """The entry point. Exit codes: 0 success, 1 a failed run, 2 wrong usage, 130 Ctrl-C."""
    with tolerate_closed_output(), safe_output():
        sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int | str:
    """Run a command and return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    try:
        return app(arguments, prog_name="podium", standalone_mode=False) or 0
    except Exception as error:  # noqa: BLE001 reported, with its exit code
        if debug:
            traceback.print_exc()
        return _explain(error)
    except KeyboardInterrupt:
        _say("interrupted")
        return 130


def _explain(error: Exception) -> int:
    """Print one line for `error` and return its exit code."""
    if isinstance(error, PodiumError):
        _say(f"error: {error}")
        return error.exit_code
    if isinstance(error, typer.TyperException):
        _say(f"error: {misuse_line(error)}")
        return 2
    if isinstance(error, typer.Abort):
        _say("interrupted")
        return 130
    bug = "(a bug in Podium: run again with --debug for the traceback)"
    _say(f"error: {type(error).__name__}: {error or 'no message'} {bug}")
    return 1


def _say(line: str) -> None:
    print(shortened(one_line(line), LONGEST), file=sys.stderr)


if __name__ == "__main__":
    main()
