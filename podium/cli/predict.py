"""`podium predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.interrupts import end_at_once
from podium.cli.processes import only_first_prints
from podium.core.clock import Deadline, MonotonicClock
from podium.core.duration import format_duration
from podium.core.errors import UsageError
from podium.core.paths import find_file
from podium.core.run_files import CONFIG, SUBMISSION
from podium.core.wording import counted

if TYPE_CHECKING:
    from eval.sets.prompts import PromptSet
    from podium.core.config import RunConfig
    from podium.core.records import Prediction


def predict(
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="File to write; its _meta.json is put beside it."),
    ],
    run: Annotated[
        Path | None, typer.Option("--run", metavar="DIR", help="Folder of a run, with config and checkpoints.")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option("--config", metavar="CONFIG.yaml", help="Instead of --run: this config's model, untrained."),
    ] = None,
    evalset: Annotated[
        str | None, typer.Option("--evalset", metavar="NAME|FILE", help="A name in evalsets/, or a file.")
    ] = None,
    challenges: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Instead: ARC challenges without solutions, for submission.json."),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(metavar="SCORER", help="arc_grid or arc_program, for challenges; default: the scorer of the run."),
    ] = None,
    split: Annotated[str, typer.Option(metavar="SPLIT", help="dev, holdout or all of the evalset.")] = "all",
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Change a generate. or device. key, or any of --config. May be repeated."
        ),
    ] = None,
    step: Annotated[
        int | None, typer.Option(metavar="N", help="Use the checkpoint of this step; default: the newest.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="auto, cpu, gpu or tpu; no fallback to another.")
    ] = None,
) -> None:
    """Answer an evalset's prompts with a run or an untrained model.

    For a whole ARC set, submission.json is written too.
    """
    from eval.arc_submission import makes_attempts
    from eval.sets.predictions import write_predictions
    from eval.sets.prompts import prompt_set

    run_config = _config(run, config, step, assignments, device)
    prompts = prompt_set(evalset, challenges, split, scorer or run_config.eval.scorer, run_config.eval.evalset)
    with end_at_once("stopped; nothing was written"):
        predictions, about = _answer(run_config, run, step, prompts)
    if not about:
        return
    write_predictions(out, predictions, {**prompts.about, **about})
    typer.echo(f"{_summary(about, len(predictions))}; written to {out}")
    if (challenges or split == "all") and makes_attempts(prompts.scorer):
        _write_submission(out.with_name(SUBMISSION), prompts, predictions)
    if challenges:
        typer.echo("no score: the challenges have no solutions here; the competition scores submission.json")
    else:
        typer.echo(f"next: podium score {out} --evalset {evalset}")


def _config(
    run: Path | None, config: str | None, step: int | None, assignments: list[str] | None, device: str | None
) -> RunConfig:
    """The config of the run, or the given one, with the changes of the command line.

    Raises UsageError unless exactly one of them is given, or for a key that the run's training depended on.
    """
    from podium.core.config import load_config, parse_assignment

    overrides = dict(parse_assignment(text) for text in assignments or ())
    overrides |= {"device.kind": device} if device else {}
    if (run is None) == (config is None):
        given = "neither --run nor --config is given" if run is None else "--run and --config are both given"
        raise UsageError(f"{given}; give --run DIR for a trained model, or --config CONFIG.yaml for an untrained one")
    if run is None:
        if step is not None:
            raise UsageError(f"--step {step} with --config: a model before any training has no checkpoints; give --run")
        return load_config(find_file(config or ""), overrides)
    if wrong := [key for key in overrides if not key.startswith(("generate.", "device."))]:
        raise UsageError(
            f"--set {wrong[0]}: predict changes generate. and device. keys only; the run was trained with the others"
        )
    return load_config(run / CONFIG, overrides)


def _answer(
    config: RunConfig, run: Path | None, step: int | None, prompts: PromptSet
) -> tuple[list[Prediction], dict[str, Any]]:
    """The predictions, and what predictions_meta.json says about them; of several processes, only the first has any."""
    from eval.sets.predictions import finish_reasons
    from trainer.device.devices import select, use_compile_cache

    found = select(config.device)
    only_first_prints()
    from trainer.device.processes import is_first, shared
    from trainer.inference import open_trained, open_untrained
    from trainer.run.chat_date import with_date

    use_compile_cache()
    deadline = Deadline.after(None, clock=shared(MonotonicClock()))
    asked = prompts.prompts
    with open_untrained(with_date(config), asked) if run is None else open_trained(config, run, step, asked) as trained:
        typer.echo(f"device: asked for {config.device.kind}, found {found}{trained.placement}")
        if trained.damage:
            typer.echo(f"warning: {trained.damage}", err=True)
        where = f"{trained.model_id} " + (f"from {run} at step {trained.step}" if run else "before any training")
        typer.echo(f"model: {where}; {counted(len(prompts.prompts), 'prompt')} of {prompts.label}")
        predictions = trained.answer(prompts.prompts, deadline)
        facts = {"finish_reasons": finish_reasons(predictions), "seconds": round(deadline.elapsed_s(), 3)}
    return (predictions, {**trained.about(), **facts}) if is_first() else ([], {})


def _summary(about: dict[str, Any], n_predictions: int) -> str:
    from eval.sets.predictions import shown_reasons

    cut = f"; {counted(about['n_prompts_cut'], 'prompt')} lost their beginning" if about["n_prompts_cut"] else ""
    ended = f" ({shown_reasons(about['finish_reasons'])})" if about["finish_reasons"] else ""
    return f"{counted(n_predictions, 'prediction')} in {format_duration(about['seconds'])}{ended}{cut}"


def _write_submission(path: Path, prompts: PromptSet, predictions: list[Prediction]) -> None:
    from eval.arc_submission import write_arc_submission

    submission = write_arc_submission(path, prompts.prompts, predictions, prompts.scorer)
    typer.echo(f"{counted(len(submission), 'task')} in the competition's format, by {prompts.scorer}; {path}")
