"""`podium predict`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.interrupts import end_at_once
from podium.cli.processes import only_the_first_speaks
from podium.core.clock import Deadline, MonotonicClock
from podium.core.duration import format_duration
from podium.core.errors import UsageError
from podium.core.files import write_json, write_jsonl
from podium.core.paths import find_file, portable

if TYPE_CHECKING:
    from podium.core.records import Asked


def predict(
    run: Annotated[Path, typer.Option("--run", metavar="DIR", help="Folder of a run: its config and checkpoints.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="predictions.jsonl; its _meta.json goes beside.")],
    evalset: Annotated[str | None, typer.Option("--evalset", help="A name under evalsets/, or a file.")] = None,
    challenges: Annotated[
        str | None, typer.Option(metavar="FILE", help="Instead: ARC challenges without solutions, for submission.json.")
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(help="arc_grid or arc_program: what is asked for. What the run was scored by if not given."),
    ] = None,
    split: Annotated[str, typer.Option(help="dev, holdout or all of the evalset.")] = "all",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a generate. or device. key; repeatable."),
    ] = None,
    step: Annotated[int | None, typer.Option(help="The checkpoint of this step; the newest when not given.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, gpu or tpu; never replaced by another.")] = None,
) -> None:
    """Let a trained run answer an evalset's prompts. On a whole ARC set it writes submission.json, too."""
    from eval.arc.predicted import makes_attempts, write_predicted_submission
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
    asked = _asked(evalset, challenges, split, scorer or config.eval.scorer, config.eval.evalset)
    found = select(config.device)
    only_the_first_speaks()
    from trainer.library import ProgramLibrary
    from trainer.processes import is_first, shared
    from trainer.run import TrainingRun
    from trainer.sharding import in_words

    use_compile_cache()
    library = ProgramLibrary()
    with end_at_once("stopped; nothing was written"):
        training_run = TrainingRun(config, run, library)
        deadline = Deadline.after(None, clock=shared(MonotonicClock()))
        try:
            if not (run / "checkpoints").is_dir():
                raise UsageError(f"{run} has no checkpoints; `podium train CONFIG.yaml --out {run}` makes them")
            checkpoint = None if step is None else run / "checkpoints" / str(step)
            step = training_run.restore(checkpoint, for_training=False)
            model_id = library.base(config).model_id
            typer.echo(f"device: asked for {config.device.kind}, found {found}{in_words(library.base(config).mesh)}")
            typer.echo(f"model: {model_id} from {run} at step {step}; {len(asked.samples)} prompts of {asked.label}")
            predictions = training_run.predict(asked.samples, deadline)
            seconds = deadline.elapsed_s()
        finally:
            training_run.close()
    reasons = finish_reasons(predictions)
    if not is_first():
        return
    write_jsonl(out, [prediction.model_dump(mode="json", exclude_none=True) for prediction in predictions])
    write_json(
        out.with_name(f"{out.stem}_meta.json"),
        {
            **asked.about,
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
    ended = f" ({shown_reasons(reasons)})" if reasons else ""
    typer.echo(f"{len(predictions)} predictions in {format_duration(seconds)}{ended}{cut}; {out}")
    if (challenges or split == "all") and makes_attempts(asked.scorer):
        path = out.with_name("submission.json")
        submission = write_predicted_submission(path, asked.samples, predictions, asked.scorer)
        typer.echo(f"{len(submission)} tasks in the competition's shape, by {asked.scorer}; {path}")
    if challenges:
        typer.echo("no score: the challenges have no solutions here; the competition scores submission.json")


@dataclass(frozen=True)
class _Asked:
    """What is to be answered; `about` says so in the meta file."""

    samples: Sequence[Asked]
    label: str
    scorer: str
    about: dict[str, Any]


def _asked(evalset: str | None, challenges: str | None, split: str, scorer: str | None, known: str) -> _Asked:
    """`known` is the run's evalset. Raises UsageError unless one of the first two is given, and is there."""
    from eval.arc.predicted import load_challenges
    from eval.evalset import load_evalset
    from podium.core.hashing import sha256_file

    if (evalset is None) == (challenges is None):
        raise UsageError("give one of --evalset and --challenges: what is to be answered")
    if evalset is not None:
        chosen = load_evalset(evalset)
        about = {"evalset": {"name": chosen.name, "sha256": chosen.sha256}, "split": split}
        return _Asked(chosen.split(split), f"{chosen.name} ({split})", chosen.chosen_scorer(scorer), about)
    path = find_file(str(challenges))
    scorer = scorer or load_evalset(known).scorer
    about = {"challenges": {"name": path.name, "sha256": sha256_file(path)}}
    return _Asked(load_challenges(path, scorer), f"{path.name} (no solutions)", scorer, about)
