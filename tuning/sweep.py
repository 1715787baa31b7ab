"""`sweep()`: run a study from a search space, or go on with one. The command line and notebooks both call it."""

import contextlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from podium.core.budget import wall_s_for
from podium.core.clock import Deadline
from podium.core.errors import UsageError
from podium.core.files import write_json
from podium.core.paths import study_dir
from podium.core.redaction import redact
from podium.core.states import State
from tuning import tracking
from tuning.backends import make_backend
from tuning.backends.base import Backend, NoBackend, Sweep, Usage
from tuning.search.load import load_space
from tuning.search.schedulers.pbt import PbtScheduler
from tuning.search.schedulers.replay import preload
from tuning.search.space import SearchSpace
from tuning.search.stop_rule import StopRule
from tuning.search.worker_options import Workers, parse_workers
from tuning.study import storage as storages
from tuning.study.create import create, limit_for, refuse_taken, reopen
from tuning.study.events import Event, Listener
from tuning.study.files import request_stop, requested_stop, stop_file
from tuning.study.locks import DriverLock, WorkersLock
from tuning.study.overview import steps
from tuning.study.stops import stop_reason
from tuning.study.study import LIMIT, StudyView, asked_trials, existing, load_study_space, study_view
from tuning.study.transfer import source_for
from tuning.study.trial import UNFINISHED
from tuning.workers.sync import SyncedWorkerKind, Syncer, check_url, sync_driver
from tuning.workers.worker import Worker, WorkerKind

FILES_AT = "files_at"  # of an Optuna study: the fsspec URL where its files are kept as well
GIVE_UP_AFTER = 3  # crashes in a row at the start: it is not the hyperparameters
WATCH_EVERY_S = 0.2


def sweep(
    space: SearchSpace | Path | str | None = None,
    *,
    trials: int | None = None,
    time_budget_s: float | None = None,
    quota_s: float | None = None,
    target: float | None = None,
    patience: int | None = None,
    backend: str = "auto",
    address: str | None = None,
    workers: Workers | Mapping[str, Any] | int | str | None = None,
    resume: str | None = None,
    warm_start: str | None = None,
    name: str | None = None,
    tracking_uri: str | None = None,
    optuna_storage: str | None = None,
    storage: str | None = None,
    listeners: Sequence[Listener] = (),
    stop: Callable[[], bool] = lambda: False,
    worker: WorkerKind = Worker,
) -> StudyView:
    """Run trials until the study has `trials` of them, time is up, or `stop` says so; returns the study.

    `quota_s` is time too, in quota-seconds: wall seconds times the rate of the config's budget profile.
    It ends earlier once a trial is as good as `target`, or `patience` trials after the best were no better; the space
    says so in `stop:` where they are not given. `warm_start` names an older study: its best configuration is tried, and
    the sampler knows its trials where they say something about this space.

    `address` is that of a Ray cluster to run on, `auto` or HOST:PORT; `workers` says in the space's stead how many
    there are and what each gets. `optuna_storage` is where a new study is kept: journal or sqlite in its folder, or the
    URL of a database. `storage` is an fsspec URL through which nodes without a common disk share the trials' files.

    A sweep that was stopped says why in `summary["stopped"]`, and in `summary["failed"]` whether nobody wanted that, as
    where the disk is full; `resume=study.name` goes on with it, and needs no space.

    Raises:
        UsageError: bad space, unknown backend or study, missing or overlapping data, absent device, changed space, a
            tracking URI that refuses us; nothing is written.
        PodiumError: Ray or a worker did not start, or a file could not be written.
    """
    deadline = quota = Deadline.after(time_budget_s)
    uri = tracking.tracking_uri(tracking_uri)
    keep_in = storages.optuna_storage(optuna_storage)
    files_at = check_url(storage) if storage else None
    if name is not None:
        refuse_taken(name)
    space = _checked_space(space, resume)
    if workers is not None:
        space = space.model_copy(update={"workers": parse_workers(workers)})
    if resume is not None and warm_start is not None:
        raise UsageError(f"--warm-start {warm_start}: study {resume!r} has begun; warm-start a new one")
    if files_at and isinstance(space.scheduler, PbtScheduler):
        raise UsageError(
            f"--storage {files_at}: trials under pbt load each other's checkpoints; share PODIUM_WORKSPACE"
        )
    if quota_s is not None:
        quota = replace(deadline, budget_s=wall_s_for(quota_s, space.base_config.budget.profile))
    source = source_for(space, warm_start) if warm_start is not None else None
    data = worker.check(space)
    study = reopen(resume, space, data, optuna_storage) if resume is not None else None
    earlier = study_view(study) if study else None
    limit = trials or limit_for(space, earlier)
    _check_population(space, limit, earlier)
    n_to_run = limit - sum(trial.state.is_finished() for trial in asked_trials(study)) if study else limit
    tracking.refuse_useless(uri)
    if earlier and n_to_run <= 0 and earlier.summary:  # else the last sweep died before it had written one
        return _caught_up(study, space, uri)
    given = {"target": target, "patience": patience}
    rule = space.stop.model_copy(update={name: value for name, value in given.items() if value is not None})
    plan = _Plan(limit, deadline, quota, rule, stop, listeners, worker, uri, files_at)
    chosen = make_backend(backend, space, n_to_run, address) if n_to_run > 0 else NoBackend()
    try:
        study = study or create(space, name, data, source, keep_in)
        folder = study_dir(study.study_name)
        with DriverLock(folder), storages.storage_in_use(folder):
            return _drive(study, space, chosen, plan)
    finally:
        chosen.close()


def _caught_up(study: Any, space: SearchSpace, uri: str) -> StudyView:
    """A study with nothing left to run, in MLflow too where the last sweep could not write all of it there."""
    found = study_view(study)
    if found.summary.get("mlflow", {}).get("failures"):
        with DriverLock(found.dir):
            account = tracking.catch_up(study, space, uri)
            write_json(found.dir / "summary.json", {**found.summary, "mlflow": account})
    return study_view(study)


def _check_population(space: SearchSpace, limit: int, earlier: StudyView | None) -> None:
    """Raises UsageError for a population of one, and for one that would grow or shrink."""
    if not isinstance(space.scheduler, PbtScheduler):
        return
    if limit < 2:
        raise UsageError(f"scheduler pbt with {limit} trials, must be 2 or more")
    if earlier and earlier.limit not in (None, limit):
        raise UsageError(f"scheduler pbt with {limit} trials, but its population of {earlier.limit} began together")


def _checked_space(space: SearchSpace | Path | str | None, resume: str | None) -> SearchSpace:
    if isinstance(space, SearchSpace):
        return space
    if space is not None:
        return load_space(space)
    if resume is None:
        raise UsageError("no search space given; name a YAML file, like search_spaces/tiny.yaml, or a study to resume")
    return load_study_space(existing(resume))


@dataclass(frozen=True)
class _Plan:
    """How to run a sweep, as far as `sweep` was told."""

    limit: int  # trials that the study shall have
    deadline: Deadline
    quota: Deadline  # in wall seconds; the deadline itself where no quota is given
    rule: StopRule
    stop: Callable[[], bool]
    listeners: Sequence[Listener]
    worker: WorkerKind
    tracking_uri: str
    files_at: str | None


def _drive(study: Any, space: SearchSpace, backend: Backend, plan: _Plan) -> StudyView:
    from tuning.bridge.population import PopulationBridge
    from tuning.bridge.searcher import OptunaBridge, job_for

    folder = study_dir(study.study_name)
    WorkersLock(folder).wait_for_none()
    study.set_user_attr(LIMIT, plan.limit)
    stop_file(folder).unlink(missing_ok=True)
    if backend.n_workers:
        (folder / "summary.json").unlink(missing_ok=True)  # so that one which is there is of the newest sweep
    enough = _enough(folder, plan.rule, study_view(study))
    scheduler = space.scheduler.build(space.metric, space.mode, space.report_every_steps, space.max_steps)
    preload(
        scheduler,
        [job_for(trial) for trial in study_view(study).trials if trial.reports and trial.state not in UNFINISHED],
    )
    with tracking.Tracker(study, space, plan.tracking_uri) as tracker, _files(study, plan) as (make_worker, brings):
        heard_by = (*brings, tracker.on_event, _give_up(folder), enough, *plan.listeners)
        kind = PopulationBridge if isinstance(space.scheduler, PbtScheduler) else OptunaBridge
        bridge = kind(study, space, plan.limit, heard_by)
        with _watched(folder, plan):
            try:
                usage = backend.run(Sweep(folder, space, bridge, scheduler, make_worker))
            finally:
                bridge.stop_rest()
        summary = study_view(study).summary or summarise(study_view(study), backend, usage, plan.deadline.elapsed_s())
        tracker.finish(study_view(study), summary)
    write_json(folder / "summary.json", {**summary, "mlflow": tracker.account()})
    return study_view(study)


@contextlib.contextmanager
def _files(study: Any, plan: _Plan) -> Iterator[tuple[WorkerKind, tuple[Listener, ...]]]:
    """Who works, and who brings here what others wrote, where the trials' files are kept at a URL as well."""
    if plan.files_at:
        study.set_user_attr(FILES_AT, redact(plan.files_at))
    url = plan.files_at or study.user_attrs.get(FILES_AT)
    if not url:
        yield plan.worker, ()
        return
    folder = study_dir(study.study_name)
    with sync_driver(Syncer(url, folder), folder, [trial.number for trial in asked_trials(study)]) as brings:
        yield SyncedWorkerKind(plan.worker, url), (brings,)


def summarise(study: StudyView, backend: Backend, usage: Usage, wall_s: float) -> dict[str, Any]:
    """How a sweep went. `steps_saved` is what the trials that ended early did not train, over the whole study."""
    stop = requested_stop(study.dir)
    return {
        "backend": backend.name,
        "wall_s": wall_s,
        "span_s": usage.span_s,
        "busy_share": usage.busy_share,
        "workers": usage.workers,
        "states": dict(Counter(str(trial.state) for trial in study.trials)),
        **steps(study),
        "stopped": stop.reason if stop else None,
        "failed": bool(stop and stop.failed),
    }


@contextlib.contextmanager
def _watched(folder: Path, plan: _Plan) -> Iterator[None]:
    """A thread that asks the sweep to stop when its time is up or `stop` says so."""
    ended = threading.Event()

    def look() -> None:
        if plan.stop():
            request_stop(folder, "interrupted")
        elif plan.deadline.expired():
            request_stop(folder, f"the time budget of {plan.deadline.budget_s:g} s is used up")
        elif plan.quota.expired():
            request_stop(folder, f"the quota is used up: it lasts {plan.quota.budget_s:g} s here")

    def watch() -> None:
        while not ended.wait(WATCH_EVERY_S):
            look()

    look()
    watcher = threading.Thread(target=watch, name="sweep-watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _enough(folder: Path, rule: StopRule, study: StudyView) -> Listener:
    """Stops a sweep once the study has seen enough, which may be so already."""
    trials = {trial.number: trial for trial in study.trials}

    def look() -> None:
        if reason := stop_reason(rule, trials.values()):
            request_stop(folder, reason)

    def listen(event: Event) -> None:
        trials[event.trial.number] = replace(event.trial)  # without the config that it has worked out, which is large
        if event.kind == "finished":
            look()

    look()
    return listen


def _give_up(folder: Path) -> Listener:
    """Stops a sweep whose first trials all crash."""
    fates: list[State] = []

    def listen(event: Event) -> None:
        if event.kind != "finished":
            return
        fates.append(event.trial.state)
        if len(fates) == GIVE_UP_AFTER and all(fate is State.FAILED for fate in fates):
            request_stop(folder, f"the first {GIVE_UP_AFTER} trials failed: {event.trial.reason}")

    return listen
