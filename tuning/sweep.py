"""`sweep` runs a study of a search space, `resume` continues one. The command line and notebooks call them."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.core import settings
from podium.core.budgets.allowance import Allowance, allowance
from podium.core.budgets.ledger import Meter
from podium.core.clock import Deadline
from podium.core.errors import UsageError
from podium.core.files import read_json, write_json
from podium.core.paths import study_dir
from podium.core.redaction import redact
from podium.core.resolved import with_sizes_of
from podium.core.temporary import remove_leftovers
from tuning import tracking
from tuning.backends import make_backend
from tuning.backends.base import Backend, NoBackend, Sweep, Usage
from tuning.options import SweepOptions
from tuning.search.load import load_space
from tuning.search.schedulers.pbt import PbtScheduler
from tuning.search.schedulers.replay import preload
from tuning.search.space import SearchSpace
from tuning.search.stop_rule import StopRule
from tuning.search.target import check_target
from tuning.search.worker_options import parse_workers, with_setting
from tuning.stopping import stop_after_crashes, stop_by_rule, watched
from tuning.study.chat_date import with_date, with_date_of
from tuning.study.code import changed_code
from tuning.study.create import create, limit_for, refuse_taken, reopen
from tuning.study.cuts import cuts
from tuning.study.events import Listener
from tuning.study.files import ACTIVITY_FILE, SUMMARY_FILE, TRIALS_DIR, requested_stop, stop_file
from tuning.study.locks import DriverLock, WorkersLock
from tuning.study.overview import mlflow_problem, steps
from tuning.study.storage import LIMIT, optuna_storage, storage_in_use
from tuning.study.study import StudyView, find_study, load_study_space, started_trials, study_view
from tuning.study.transfer import source_for
from tuning.study.trial import UNFINISHED, best_of
from tuning.workers.sync import SyncedWorkerKind, Syncer, check_url, sync_driver
from tuning.workers.worker import WorkerKind

if TYPE_CHECKING:
    from optuna import Study
    from ray.tune.schedulers import TrialScheduler

FILES_AT = "files_at"  # Optuna user attribute of a study: the fsspec URL through which nodes share its files


def sweep(
    space: SearchSpace | Path | str, *, name: str | None = None, warm_start: str | None = None, **options: Any
) -> StudyView:
    """Search a space in a new study: run its trials until it has them all, time is up, or a stop rule ends it.

    `name` is the study's name, SPACE-001 and so on if not given. `warm_start` names an older study: its best
    configuration is tried, and the sampler is given those of its trials that mean the same in this space. `options` are
    the fields of `SweepOptions`: `sweep("space.yaml", trials=12, backend="inline")`.

    `summary["stopped"]` of the study says why the sweep stopped early, if it did, and `summary["failed"]` whether it
    could not continue, for example because the disk is full. `resume(study.name)` continues it.

    Raises:
        UsageError: bad space or option, unknown study, name that is taken, missing or overlapping data, missing device,
            or a tracking URI that cannot be used; nothing is written.
        PodiumError: Ray or a worker did not start, or a file could not be written.
    """
    given = SweepOptions(**options)
    if name is not None:
        refuse_taken(name)
    plan = _plan(given, _loaded(space))
    source = source_for(plan.space, warm_start) if warm_start is not None else None
    plan = replace(plan, space=with_date(plan.space, source.space if source else None))
    data = given.worker.check(plan.space)
    limit = given.trials or limit_for(plan.space, None)
    _check_population(plan.space, limit, None)
    tracking.check_tracking_uri(plan.tracking_uri)
    return _run(plan, limit, limit, lambda: create(plan.space, name, data, source, plan.optuna_storage))


def resume(study: str, space: SearchSpace | Path | str | None = None, **options: Any) -> StudyView:
    """Continue the study of that name: its unfinished trials first, then new ones until it has `trials`.

    `space` is the study's own if not given. A space that searches something else is refused, and so is a study whose
    data have changed. `options`, the returned study and the errors are those of `sweep`.
    """
    given = SweepOptions(**options)
    known = load_study_space(find_study(study))
    plan = _plan(given, known if space is None else _with_sizes_of(with_date_of(_loaded(space), known), known))
    opened = reopen(study, plan.space, given.worker.check(plan.space), given.optuna_storage)
    for line in changed_code(opened, plan.space):
        given.say(line)
    earlier = study_view(opened)
    limit = given.trials or limit_for(plan.space, earlier)
    _check_population(plan.space, limit, earlier)
    n_to_run = limit - sum(trial.state.is_finished() for trial in started_trials(opened))
    tracking.check_tracking_uri(plan.tracking_uri)
    if n_to_run <= 0 and earlier.summary:  # without a summary, the last sweep was killed before it wrote one
        return _without_trials(earlier, plan)
    return _run(plan, limit, n_to_run, lambda: opened)


@dataclass(frozen=True)
class _Plan:
    """The options of a sweep, read together with its space."""

    options: SweepOptions
    space: SearchSpace
    deadline: Deadline
    rule: StopRule
    tracking_uri: str
    optuna_storage: str
    files_at: str | None


def _plan(options: SweepOptions, space: SearchSpace) -> _Plan:
    """Raises UsageError for an option that cannot be used, alone or with this space."""
    deadline = Deadline.after(options.time_budget_s)
    space.sampler.require()
    workers = with_setting(space.workers) if options.workers is None else parse_workers(options.workers)
    space = space.model_copy(update={"workers": workers})
    if space.target:
        check_target(space.target)
    files_at = check_url(options.storage) if options.storage else None
    if files_at and isinstance(space.scheduler, PbtScheduler):
        raise UsageError(
            f"--storage {files_at}: trials under pbt load each other's checkpoints; share PODIUM_WORKSPACE"
        )
    given = {"target": options.target, "patience": options.patience}
    return _Plan(
        options,
        space,
        deadline,
        rule=space.stop.model_copy(update={name: value for name, value in given.items() if value is not None}),
        tracking_uri=tracking.tracking_uri(options.tracking_uri),
        optuna_storage=optuna_storage(options.optuna_storage),
        files_at=files_at,
    )


def _loaded(space: SearchSpace | Path | str) -> SearchSpace:
    return space if isinstance(space, SearchSpace) else load_space(space)


def _with_sizes_of(space: SearchSpace, known: SearchSpace) -> SearchSpace:
    """`space` with the sizes of a study whose base config has numbers, where its own are `auto`."""
    return space.model_copy(update={"base_config": with_sizes_of(space.base_config, known.base_config)})


def _check_population(space: SearchSpace, limit: int, earlier: StudyView | None) -> None:
    """Raises UsageError for a population of one, or one that would grow or shrink."""
    if not isinstance(space.scheduler, PbtScheduler):
        return
    if limit < 2:
        raise UsageError(f"scheduler pbt with {limit} trials, must be 2 or more")
    if earlier and earlier.limit not in (None, limit):
        raise UsageError(
            f"scheduler pbt with {limit} trials, but the study is a population of {earlier.limit}, "
            "which cannot change its size; leave out the number"
        )


def _without_trials(study: StudyView, plan: _Plan) -> StudyView:
    """The study, which has no trial left to run; adds to MLflow what the last sweep could not write there."""
    if not mlflow_problem(study):
        return study
    with DriverLock(study.dir):
        account = tracking.update_tracking(study, plan.space, plan.tracking_uri)
        return _write_summary(study, {**study.summary, "mlflow": account})


def _run(plan: _Plan, limit: int, n_to_run: int, open_study: Callable[[], Study]) -> StudyView:
    """Start the backend, then create or take the study, and run `n_to_run` trials of it."""
    options = plan.options
    profile = options.profile or settings.get("profile")
    allowed = allowance(
        plan.space.base_config.budget, profile, options.quota_s, options.time_budget_s, max(1, n_to_run)
    )
    if allowed.line:
        options.say(allowed.line)
    backend = make_backend(options.backend, plan.space, n_to_run, options.address) if n_to_run > 0 else NoBackend()
    try:
        study = open_study()
        folder = study_dir(study.study_name)
        meter = Meter("sweep", study.study_name, allowed.profile, start_s=plan.deadline.start_s)
        with DriverLock(folder), storage_in_use(folder), meter:
            return _drive(study, plan, limit, backend, _quota(plan, allowed), meter)
    finally:
        backend.close()


def _quota(plan: _Plan, allowed: Allowance) -> Deadline:
    """When the quota is used up; the plan's own deadline if there is none."""
    if allowed.quota_s is None:
        return plan.deadline
    return replace(plan.deadline, budget_s=allowed.quota_s / allowed.profile.rate)


def _drive(study: Study, plan: _Plan, limit: int, backend: Backend, quota: Deadline, meter: Meter) -> StudyView:
    from tuning.bridge.population import PopulationBridge
    from tuning.bridge.searcher import OptunaBridge

    space, options, folder = plan.space, plan.options, study_dir(study.study_name)
    WorkersLock(folder).wait_for_none()
    for place in (folder, *folder.glob(f"{TRIALS_DIR}/*")):
        remove_leftovers(place)
        (place / ACTIVITY_FILE).unlink(missing_ok=True)  # of a worker that was killed
    study.set_user_attr(LIMIT, limit)
    stop_file(folder).unlink(missing_ok=True)
    if backend.n_workers:
        (folder / SUMMARY_FILE).unlink(missing_ok=True)  # so that a summary is always that of the newest sweep
    before = study_view(study)
    scheduler = _scheduler(space, before)
    with (
        tracking.Tracker(before, space, plan.tracking_uri) as tracker,
        _shared_files(study, before, plan) as (make_worker, receivers),
    ):
        stops = (stop_after_crashes(folder), stop_by_rule(plan.rule, before))
        kind = PopulationBridge if isinstance(space.scheduler, PbtScheduler) else OptunaBridge
        bridge = kind(study, space, limit, (*receivers, tracker.on_event, *stops, *options.listeners))
        with watched(folder, plan.deadline, quota, options.stop, meter.tick):
            try:
                usage = backend.run(Sweep(folder, space, bridge, scheduler, make_worker))
            finally:
                bridge.stop_rest()
        after = study_view(study)
        summary = after.summary or summarise(after, backend, usage, plan.deadline.elapsed_s())
        tracker.finish(after, summary)
    return _write_summary(after, {**summary, "mlflow": tracker.account()})


def _scheduler(space: SearchSpace, before: StudyView) -> TrialScheduler:
    """The space's scheduler, with the reports of earlier sweeps at its rungs."""
    from tuning.bridge.searcher import job_for

    scheduler = space.scheduler.build(space.metric, space.mode, space.report_every_steps, space.max_steps)
    preload(scheduler, [job_for(trial) for trial in before.trials if trial.reports and trial.state not in UNFINISHED])
    return scheduler


@contextlib.contextmanager
def _shared_files(study: Study, before: StudyView, plan: _Plan) -> Iterator[tuple[WorkerKind, tuple[Listener, ...]]]:
    """The worker, and the listeners that receive other nodes' files; these exist if the files are shared at a URL."""
    worker = plan.options.worker
    if plan.files_at:
        study.set_user_attr(FILES_AT, redact(plan.files_at))
    url = plan.files_at or study.user_attrs.get(FILES_AT)
    if not url:
        yield worker, ()
        return
    with sync_driver(Syncer(url, before.dir), before.dir, [trial.number for trial in before.trials]) as receive:
        yield SyncedWorkerKind(worker, url), (receive,)


def summarise(study: StudyView, backend: Backend, usage: Usage, wall_s: float) -> dict[str, Any]:
    """The content of summary.json.

    `steps_saved` counts the steps that early stopping saved in the whole study. `cuts` is about its best trial.
    """
    stop, best = requested_stop(study.dir), best_of(study.trials)
    return {
        "backend": backend.name,
        "wall_s": wall_s,
        "span_s": usage.span_s,
        "busy_share": usage.busy_share,
        "workers": usage.workers,
        "states": dict(Counter(str(trial.state) for trial in study.trials)),
        **steps(study),
        "cuts": cuts(best) if best else {},
        "stopped": stop.reason if stop else None,
        "failed": bool(stop and stop.failed),
    }


def _write_summary(study: StudyView, summary: dict[str, Any]) -> StudyView:
    """Write summary.json; returns the study with it."""
    path = study.dir / SUMMARY_FILE
    write_json(path, summary)
    return replace(study, summary=read_json(path))
