"""Search space, Optuna bridge, schedulers, worker pool, studies, MLflow tracking and the promotion gate."""

from tuning.options import SweepOptions
from tuning.study.study import StudyView, load_study
from tuning.study.trial import TrialView
from tuning.sweep import resume, sweep
from tuning.workers.function_worker import Ended, Reporter

__all__ = ["Ended", "Reporter", "StudyView", "SweepOptions", "TrialView", "load_study", "resume", "sweep"]
