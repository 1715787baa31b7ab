"""`podium predict`."""

from pathlib import Path
from typing import Annotated

import typer

from podium.core.clock import Deadline
from podium.core.duration import format_duration
from podium.core.errors import UsageError
from podium.core.files import write_json, write_jsonl
from podium.core.paths import portable


def predict(
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="Folder of a run: its config and checkpoints.")],
    evalset: Annotated[str, typer.Option("--evalset", help="A name under evalsets/, or a file.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="predictions.jsonl; its _meta.json goes beside.")],
    split: Annotated[str, typer.Option(help="dev, holdout or all.")] = "all",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a generate. or device. key; repeatable."),
    ] = None,
    step: Annotated[int | None, typer.Option(help="The checkpoint of this step; the newest when not given.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, gpu or tpu; never replaced by another.")] = None,
) -> None:
    """Let a trained run answer an evalset's prompts."""
    from eval.evalset import load_evalset
    from eval.scorecard import finish_reasons
    from podium.cli.score import shown_reasons
    from podium.core.config import load_config, parse_assignment
    from trainer.device import select, use_compile_cache

    overrides = dict(parse_assignment(text) for text in assignments or ())
    if wrong := [key for key in overrides if not key.startswith(("generate.", "device."))]:
        raise UsageError(
            f"--set {wrong[0]}: predict changes generate. and device. keys only; the run was trained with the others"
        )
    overrides |= {"device.kind": device} if device else {}
    config = load_config(run / "config.yaml", overrides)
    chosen = load_evalset(evalset)
    samples = chosen.split(split)
    found = select(config.device)
    from trainer.library import ProgramLibrary
    from trainer.run import TrainingRun

    use_compile_cache()
    library = ProgramLibrary()
    training_run = TrainingRun(config, run, library)
    deadline = Deadline.after(None)
    try:
        if not (run / "checkpoints").is_dir():
            raise UsageError(f"{run} has no checkpoints; `podium train CONFIG.yaml --out {run}` makes them")
        checkpoint = None if step is None else run / "checkpoints" / str(step)
        step = training_run.restore(checkpoint, for_training=False)
        model_id = library.base(config).model_id
        typer.echo(f"device: asked for {config.device.kind}, found {found}")
        typer.echo(f"model: {model_id} from {run} at step {step}; {len(samples)} prompts of {chosen.name} ({split})")
        predictions = training_run.predict(samples, deadline)
        seconds = deadline.elapsed_s()
    finally:
        training_run.close()
    reasons = finish_reasons(predictions)
    write_jsonl(out, [prediction.model_dump(mode="json", exclude_none=True) for prediction in predictions])
    write_json(
        out.with_name(f"{out.stem}_meta.json"),
        {
            "evalset": {"name": chosen.name, "sha256": chosen.sha256},
            "split": split,
            "n": len(predictions),
            "n_prompts_cut": training_run.n_prompts_cut,
            "finish_reasons": reasons,
            "generate": config.generate.model_dump(mode="json"),
            "run": portable(run),
            "step": step,
            "config_sha256": config.hash,
            "model_id": model_id,
            "seconds": round(seconds, 3),
        },
    )
    cut = f"; {training_run.n_prompts_cut} prompts lost their beginning" if training_run.n_prompts_cut else ""
    typer.echo(f"{len(predictions)} predictions in {format_duration(seconds)} ({shown_reasons(reasons)}){cut}; {out}")
