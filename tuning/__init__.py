"""Search space, Optuna bridge, schedulers, worker pool, studies, MLflow tracking and the promotion gate."""

from tuning.options import SweepOptions
from tuning.study.study import StudyView, load_study
from tuning.study.trial import TrialView
from tuning.sweep import resume, sweep

__all__ = ["StudyView", "SweepOptions", "TrialView", "load_study", "resume", "sweep"]
