"""Search space, Optuna bridge, schedulers, worker pool, studies, MLflow tracking and the promotion gate."""

from tuning.study.study import StudyView, load_study
from tuning.study.trial import TrialView
from tuning.sweep import sweep

__all__ = ["StudyView", "TrialView", "load_study", "sweep"]
