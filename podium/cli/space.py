"""`podium space`: inspect a search space before a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from podium.cli.tables import print_json
from podium.cli.tasks import ClauseGroup
from podium.core.wording import counted

if TYPE_CHECKING:
    from tuning.search.space import SearchSpace

app = typer.Typer(cls=ClauseGroup, help="Inspect a search space before a sweep.")


@app.command("check")
def check(
    file: Annotated[str, typer.Argument(metavar="SPACE.yaml", help="The search space, like search_spaces/tiny.yaml.")],
    samples: Annotated[int, typer.Option(metavar="N", min=0, help="Number of configurations to draw.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a space, describe it, and show the first configurations it would draw. Writes nothing."""
    from tuning.preview import preview
    from tuning.search.load import load_space

    space = load_space(file)
    if as_json:
        drawn = [{"overrides": overrides, "infeasible": refusal} for overrides, refusal in preview(space, samples)]
        print_json({**space.model_dump(mode="json"), "max_steps": space.max_steps, "drawn": drawn})
        return
    for line in _about(space):
        typer.echo(line)
    for number, (overrides, refusal) in enumerate(preview(space, samples)):
        values = "  ".join(f"{key}={_short(value)}" for key, value in overrides.items()) or "the base config"
        typer.echo(f"[{number}] {values}{f'  infeasible: {refusal}' if refusal else ''}")


def _about(space: SearchSpace) -> list[str]:
    return [
        f"{space.name}: {space.aim_text} in {counted(space.trials, 'trial')} "
        f"of up to {counted(space.max_steps, 'step')}; sampler {space.sampler.name}, scheduler {space.scheduler.name}",
        *(f"  {key}: {parameter}" for key, parameter in space.parameters.items()),
        *(f"  constraint: {text}" for text in space.constraints),
    ]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
