"""The options that `sweep` and `resume` share, and `podium sweep` takes: declared and checked in this one place."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from podium.core.budgets.allowance import REST
from podium.core.errors import UsageError
from tuning.search.worker_options import Workers
from tuning.study.events import Listener
from tuning.workers.function_worker import FunctionWorkers, Train
from tuning.workers.worker import Worker, WorkerKind


def never() -> bool:
    return False


def silent(_: str) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class SweepOptions:
    """How to run a sweep. Every field is a keyword argument of `tuning.sweep` and `tuning.resume`.

    trials: how many trials the study is to have; the space's number, or that of the last sweep, if not given
    time_budget_s: seconds after which the sweep stops; start-up counts
    quota_s: the same in quota-seconds, which are seconds times the profile's rate; `rest` for what is left of the week
        less the shares of the promotion gate and the submission
    profile: the budget profile that this sweep runs under; the setting, or the config's on
        Kaggle and if `quota_s` is given, else none
    target: stop once a complete trial is as good as this value; `stop.target` of the space if not given
    patience: stop after this many trials without an improvement; `stop.patience` of the space if not given
    backend: ray, inline (in this process) or auto; the setting, or auto, if not given
    address: of a running Ray cluster, `auto` or HOST:PORT
    workers: a number, "auto", or a mapping of count, cores and chips; replaces `workers` of the space. If neither names
        a number, the setting does
    tracking_uri: where MLflow keeps its runs; the setting, or SQLite in the workspace, if not given
    optuna_storage: journal, sqlite or the URL of a database; the setting, or journal, if not given. A study keeps
        its storage; to resume it, the URL is needed only for the password
    storage: an fsspec URL through which nodes without a common disk share the trials' files
    listeners: called with every event of the sweep
    stop: asked several times per second whether to stop
    say: called with a line about a limit that the sweep was not given
    train: a function `train(config, report)` of your own, in place of Podium's trainer: docs/own_objective.md
    worker: the class of the workers

    Raises:
        UsageError: a number is out of range.
    """

    trials: int | None = None
    time_budget_s: float | None = None
    quota_s: float | Literal["rest"] | None = None
    profile: str | None = None
    target: float | None = None
    patience: int | None = None
    backend: str | None = None
    address: str | None = None
    workers: Workers | Mapping[str, Any] | int | str | None = None
    tracking_uri: str | None = None
    optuna_storage: str | None = None
    storage: str | None = None
    listeners: Sequence[Listener] = ()
    stop: Callable[[], bool] = never
    say: Callable[[str], None] = silent
    train: Train | None = None
    worker: WorkerKind = Worker

    def __post_init__(self) -> None:
        if self.train is not None:
            object.__setattr__(self, "worker", FunctionWorkers(self.train))
        for name in ("trials", "patience"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
                raise UsageError(f"{name}={value!r}, must be a whole number >= 1; leave it out for the space's own")
        for name in ("time_budget_s", "quota_s"):
            value = getattr(self, name)
            if value not in (None, REST if name == "quota_s" else None) and not (_is_finite(value) and value > 0):
                raise UsageError(f"{name}={value!r}, must be a number of seconds > 0; leave it out for no limit")
        if self.target is not None and not _is_finite(self.target):
            raise UsageError(f"target={self.target!r}, must be a finite number; leave it out for the space's own")


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
