"""The Markdown description of a study's run, as MLflow's pages show it."""

from collections.abc import Mapping

from podium.core.duration import format_duration
from podium.core.states import State
from tuning.labels import params_label
from tuning.stops import best_of
from tuning.study import StudyView, TrialView


def describe(study: StudyView, experiment: str, run_ids: Mapping[int, str]) -> str:
    """Best trial, space, states and what to type next. `run_ids` (by trial number) are for the links."""
    space = study.space
    lines = [
        f"**{space.direction} {space.metric}** with {space.sampler.name} and {space.scheduler.name}: {_states(study)}",
        "",
        *_best(study, experiment, run_ids),
        "",
        "| searched | over |",
        "|---|---|",
        *(f"| `{key}` | {str(parameter).replace('|', ' ')} |" for key, parameter in space.parameters.items()),
        *(f"| constraint | `{text}` |" for text in space.constraints),
        "",
        f"Folder `{study.dir.name}`. `podium show {study.name}` sums it up, `podium sweep --resume {study.name}` goes "
        f"on with it, `podium promote {study.name} --as NAME` locks the best trial.",
    ]
    return "\n".join(lines)


def _states(study: StudyView) -> str:
    counts = {state: sum(trial.state is state for trial in study.trials) for state in State}
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no trials yet"
    took = f" in {format_duration(study.summary['wall_s'])}" if "wall_s" in study.summary else ""
    return f"{len(study.trials)} trials ({states}){took}" if study.trials else states


def _best(study: StudyView, experiment: str, run_ids: Mapping[int, str]) -> list[str]:
    best = best_of(study.trials)
    if best is None:
        return ["No trial is complete yet."]
    link = _link(best, experiment, run_ids)
    label = "the base config" if best.baseline else f"`{params_label(best.overrides)}`"
    return [f"Best: {link}, {study.space.metric} **{best.value:.4g}** at step {best.step}: {label}"]


def _link(trial: TrialView, experiment: str, run_ids: Mapping[int, str]) -> str:
    name = f"trial-{trial.number:03d}"
    run_id = run_ids.get(trial.number)
    return f"[{name}](#/experiments/{experiment}/runs/{run_id})" if run_id else name
