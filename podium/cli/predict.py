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
from podium.core.run_files import CONFIG, SUBMISSION

if TYPE_CHECKING:
    from eval.sets.prompts import PromptSet
    from podium.core.config import RunConfig
    from podium.core.records import Prediction


def predict(
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="Folder of a run, with config and checkpoints.")],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="File to write; its _meta.json is put beside it."),
    ],
    evalset: Annotated[str | None, typer.Option("--evalset", help="A name in evalsets/, or a file.")] = None,
    challenges: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Instead: ARC challenges without solutions, for submission.json."),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(help="arc_grid or arc_program, for challenges; default: the scorer of the run."),
    ] = None,
    split: Annotated[str, typer.Option(help="dev, holdout or all of the evalset.")] = "all",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a generate. or device. key; may be repeated."),
    ] = None,
    step: Annotated[int | None, typer.Option(help="Use the checkpoint of this step; default: the newest.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, gpu or tpu; no fallback to another.")] = None,
) -> None:
    """Answer the prompts of an evalset with a trained model. For a whole ARC set, submission.json is written too."""
    from eval.arc_submission import makes_attempts
    from eval.sets.predictions import write_predictions
    from eval.sets.prompts import prompt_set

    config = _config(run, assignments, device)
    prompts = prompt_set(evalset, challenges, split, scorer or config.eval.scorer, config.eval.evalset)
    with end_at_once("stopped; nothing was written"):
        predictions, about = _answer(config, run, step, prompts)
    if not about:
        return
    write_predictions(out, predictions, {**prompts.about, **about})
    typer.echo(f"{_summary(about, len(predictions))}; {out}")
    if (challenges or split == "all") and makes_attempts(prompts.scorer):
        _write_submission(out.with_name(SUBMISSION), prompts, predictions)
    if challenges:
        typer.echo("no score: the challenges have no solutions here; the competition scores submission.json")


def _config(run: Path, assignments: list[str] | None, device: str | None) -> RunConfig:
    """The run's config with the changes of the command line. Raises UsageError for a key that training depended on."""
    from podium.core.config import load_config, parse_assignment

    overrides = dict(parse_assignment(text) for text in assignments or ())
    if wrong := [key for key in overrides if not key.startswith(("generate.", "device."))]:
        raise UsageError(
            f"--set {wrong[0]}: predict changes generate. and device. keys only; the run was trained with the others"
        )
    return load_config(run / CONFIG, overrides | ({"device.kind": device} if device else {}))


def _answer(
    config: RunConfig, run: Path, step: int | None, prompts: PromptSet
) -> tuple[list[Prediction], dict[str, Any]]:
    """The predictions, and what predictions_meta.json says about them; of several processes, only the first has any."""
    from eval.sets.predictions import finish_reasons
    from trainer.device.devices import select, use_compile_cache

    found = select(config.device)
    only_first_prints()
    from trainer.device.processes import is_first, shared
    from trainer.inference import open_trained

    use_compile_cache()
    deadline = Deadline.after(None, clock=shared(MonotonicClock()))
    with open_trained(config, run, step) as trained:
        typer.echo(f"device: asked for {config.device.kind}, found {found}{trained.placement}")
        where = f"{trained.model_id} from {run} at step {trained.step}"
        typer.echo(f"model: {where}; {len(prompts.prompts)} prompts of {prompts.label}")
        predictions = trained.answer(prompts.prompts, deadline)
        facts = {"finish_reasons": finish_reasons(predictions), "seconds": round(deadline.elapsed_s(), 3)}
    return (predictions, {**trained.about(), **facts}) if is_first() else ([], {})


def _summary(about: dict[str, Any], n_predictions: int) -> str:
    from eval.sets.predictions import shown_reasons

    cut = f"; {about['n_prompts_cut']} prompts lost their beginning" if about["n_prompts_cut"] else ""
    ended = f" ({shown_reasons(about['finish_reasons'])})" if about["finish_reasons"] else ""
    return f"{n_predictions} predictions in {format_duration(about['seconds'])}{ended}{cut}"


def _write_submission(path: Path, prompts: PromptSet, predictions: list[Prediction]) -> None:
    from eval.arc_submission import write_arc_submission

    submission = write_arc_submission(path, prompts.prompts, predictions, prompts.scorer)
    typer.echo(f"{len(submission)} tasks in the competition's format, by {prompts.scorer}; {path}")
