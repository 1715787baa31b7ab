"""Which plots a study has, and why one is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuning.study.storage import open_storage
from tuning.study.study import StudyView, find_study, started_trials
from tuning.study.trial import TrialView

if TYPE_CHECKING:
    from optuna import Study

MOST_PARAMETERS = 4  # of a contour plot, whose panels grow with their square


@dataclass(frozen=True)
class Kind:
    """One plot. `function` is its name in optuna.visualization and optuna.visualization.matplotlib; `text` says what it
    shows, for those who cannot see it, too."""

    name: str
    title: str
    function: str | None
    text: str


KINDS = (
    Kind("history", "Score of each trial", "plot_optimization_history", "the score of each complete trial in the order "
         "of the trials, and the best so far"),
    Kind("importances", "Which parameters matter", "plot_param_importances", "the share of the score's variation that "
         "each parameter explains (fANOVA)"),
    Kind("slice", "Score by each parameter", "plot_slice", "the score of each complete trial over each parameter"),
    Kind("contour", "Score by pairs of parameters", "plot_contour", "the score over each pair of parameters"),
    Kind("parallel_coordinates", "Trials across all parameters", "plot_parallel_coordinate", "one line per complete "
         "trial, through its value of each parameter"),
    Kind("pareto_front", "Objectives against each other", "plot_pareto_front", "the complete trials by their "
         "objectives; those that no other beats in every objective are marked"),
    Kind("intermediate_values", "Score during training", "plot_intermediate_values", "the reports of each trial over "
         "its steps"),
    Kind("steps_saved", "Steps that early stopping saved", None, "the steps that each trial trained, and those that it "
         "was spared"),
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """A study as Optuna's visualization takes it, and the arguments of each plot."""

    view: StudyView
    study: Study

    @classmethod
    def of(cls, view: StudyView) -> Source:
        """The trials that have begun, in a study of their own: those that wait or are another study's would show."""
        import optuna

        trials = started_trials(open_storage(find_study(view.name)))
        aims = [direction for _, direction in view.space.aims]
        study = optuna.create_study(study_name=view.name, directions=aims, sampler=optuna.samplers.RandomSampler())
        study.add_trials([trial for trial in trials if trial.state.is_finished()])
        return cls(view, study)

    @property
    def complete(self) -> list[TrialView]:
        return [trial for trial in self.view.trials if trial.value is not None]

    @property
    def varied(self) -> list[str]:
        """The parameters that have more than one value among the complete trials, in the order of the space."""
        import optuna

        rows = [trial.params for trial in self.study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))]
        names = [name for name in self.view.space.parameters if any(name in row for row in rows)]
        return [name for name in names if len({str(row.get(name)) for row in rows}) > 1]

    def missing(self, kind: Kind) -> str | None:
        """Why the study has no such plot; None if it has."""
        many = len(self.view.space.aims) > 1
        if kind.name == "pareto_front":
            return None if many and self.complete else "there is one objective" if not many else NONE
        if kind.name == "steps_saved":
            return None if any(trial.step for trial in self.view.trials) else "no trial has trained a step"
        if kind.name == "intermediate_values":
            if many:
                return "Optuna keeps no reports of a study with several objectives"
            return None if any(trial.reports for trial in self.view.trials) else "no trial has reported a score"
        if not self.complete:
            return NONE
        if kind.name == "history":
            return None
        few = {"importances": 1, "contour": 2}.get(kind.name, 1)
        if len(self.varied) < few or (kind.name in ("importances", "contour") and len(self.complete) < 3):
            return "too few complete trials that differ"
        return None

    def arguments(self, kind: Kind) -> Mapping[str, Any]:
        """What the function takes beside the study. With several objectives, the first is shown."""
        name = self.view.space.metric
        if kind.name == "pareto_front":
            return {"target_names": [metric for metric, _ in self.view.space.aims]}
        if kind.name == "intermediate_values":
            return {}
        target = {"target": _first, "target_name": name} if len(self.view.space.aims) > 1 else {"target_name": name}
        if kind.name == "history":
            return target
        names = self.varied[:MOST_PARAMETERS] if kind.name == "contour" else self.varied
        return {**target, "params": names}


NONE = "no trial is complete"


def _first(trial: Any) -> float:
    return float(trial.values[0])


def spared(view: StudyView) -> list[tuple[int, int, int]]:
    """(number, steps trained, steps spared) of each trial that has ended."""
    ended = [trial for trial in view.trials if trial.state.is_final and trial.step]
    return [(trial.number, trial.step, max(0, trial.config.steps - trial.step)) for trial in ended]
