"""The Ray backend: Ray Tune over the worker pool. Its settings were measured to keep every worker busy."""

import logging
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any
from uuid import uuid4

from podium.core.errors import PodiumError
from tuning.backends.base import Sweep, Usage
from tuning.search.space import SearchSpace
from tuning.study.files import request_stop
from tuning.workers import cluster
from tuning.workers.ray_processes import MARK, RayProcesses, marked, new_mark
from tuning.workers.resources import cores_here, plan
from tuning.workers.runtime_env import runtime_env_for

SPARE_CLIENTS = 1  # each has a trial that waits for the next idle worker, so that no worker waits for a trial


class RayBackend:
    name = "ray"

    def __init__(self, space: SearchSpace, n_trials: int, address: str | None = None) -> None:
        """Join the cluster at `address`, or the one of RAY_ADDRESS, or the one joined before; else start Ray here.

        Raises:
            UsageError: the address cannot be used, or devices are missing.
            PodiumError: Ray did not start or answer.
        """
        # Ray reads these on import. The first silences its messages about dead workers, which name neither trial nor
        # cause. The second keeps a call that comes after the end of a lost Ray from starting another one.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
        os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")
        import ray

        self._joined = ray.is_initialized()
        address = cluster.check_address(address or os.environ.get("RAY_ADDRESS"), joined=self._joined)
        self._on_cluster = self._joined or address is not None
        self._started = None if self._joined else start_ray(address, space)
        from tuning.backends.ray_monitor import RayMonitor

        self._monitor = RayMonitor(self._started, self._on_cluster)
        try:
            nodes = cluster.nodes()
            self._plan = plan(space.base_config, space.workers, n_trials, nodes)
        except PodiumError:
            self.close()
            raise
        self.n_workers = len(self._plan.groups(nodes))

    def run(self, sweep: Sweep) -> Usage:
        import ray

        from tuning.backends.ray_monitor import RayLost
        from tuning.workers.assignments import TrialLimits
        from tuning.workers.pool import start_pool

        n_clients = min(self._n_clients(), sweep.bridge.n_jobs)
        self._monitor.folder, sweep.bridge.confirm_failure = sweep.folder, self._monitor.confirm
        pool_name = f"podium-{sweep.folder.name}-{uuid4().hex[:8]}"
        n_first = min(n_clients, sweep.bridge.n_initial_jobs)  # clients that start at once
        limits = TrialLimits(sweep.space.max_failures, sweep.space.trial_timeout_s)
        pool = start_pool(sweep.make_worker, sweep.folder, self._plan, n_first, pool_name, limits)
        try:
            started = pool.ready.remote()  # in the background, while Tune and its clients start
            _tune(sweep, pool_name, n_clients, self._monitor)
            return _usage(pool, started)
        except RayLost as lost:
            request_stop(sweep.folder, str(lost), failed=True)
            return Usage(0.0, [])
        finally:
            if not self._monitor.lost:
                ray.kill(pool)  # the workers end too: the pool owns them

    def _n_clients(self) -> int:
        # With one worker the next trial is proposed after the result of the one before, so that proposals do not depend
        # on timing. More spare clients would each take seconds of CPU time at the start, and propose trials earlier
        # than needed. A cluster may grow to as many workers as there are clients.
        if self.n_workers == 1 and (self._plan.limit == 1 or not self._on_cluster):
            return 1
        return 2 * self.n_workers if self._on_cluster else self.n_workers + SPARE_CLIENTS

    def close(self) -> None:
        import ray

        if not self._joined:
            ray.shutdown()
        if self._started:
            self._started.kill()  # Ray's small agents would take up to a minute to see that they are alone
        self._monitor.close()


def start_ray(address: str | None = None, space: SearchSpace | None = None) -> RayProcesses:
    """Start Ray here, or join the cluster at `address` and upload our code and the data of `space` to it.

    Returns the processes that it starts here, without those of a cluster that was running before.

    Raises:
        PodiumError: Ray did not start or answer.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # The cluster defines its own resources. Token authentication stays as Ray sets it up.
    if address is None:
        # The autoscaler's metrics would be served on all interfaces to anyone without a token. -1 switches this off.
        os.environ.setdefault("AUTOSCALER_METRIC_PORT", "-1")
        with marked() as mark:
            _init("local", num_cpus=len(cores_here()), object_store_memory=256 * 2**20)
        return RayProcesses(mark, session_dir())
    mark = new_mark()
    with runtime_env_for(space) as runtime_env:
        _init(address, runtime_env={**runtime_env, "env_vars": {MARK: mark}})
    return RayProcesses(mark)


def session_dir() -> Path:
    """Where the Ray of this process keeps its logs and sockets."""
    from ray._private.worker import _global_node  # private, and the version is pinned

    return Path(_global_node.get_session_dir_path()).resolve()


def _init(address: str, **options: Any) -> None:
    import ray

    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            namespace="podium",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **options,
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where, hint = ("here", "try --backend inline") if address == "local" else (address, cluster.HINT)
        if "AF_UNIX path length" in str(error):  # the path of a Unix socket has at most 107 bytes
            hint = f"set RAY_TMPDIR to a shorter path, or {hint}"
        raise PodiumError(f"Ray did not start or answer ({where}): {_cause(error)}; {hint}") from error
    if callable(before) and threading.current_thread() is threading.main_thread():
        # Ray's handler ends the process at once and prints its stack; ours lets trials end with a checkpoint.
        signal.signal(signal.SIGTERM, before)


def _tune(sweep: Sweep, pool_name: str, n_clients: int, monitor: Any) -> None:
    _quiet_tune(n_clients)
    from ray import tune

    from tuning.backends.trainable import POOL, STUDY, TrialClient

    scratch = tempfile.mkdtemp(prefix="podium-tune-")
    try:
        tune.Tuner(
            tune.with_resources(TrialClient, cluster.client_resources()),
            param_space={POOL: pool_name, STUDY: str(sweep.folder)},
            tune_config=tune.TuneConfig(
                search_alg=sweep.bridge,
                scheduler=sweep.scheduler,
                num_samples=sweep.bridge.n_jobs,
                max_concurrent_trials=n_clients,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name=sweep.folder.name,
                storage_path=scratch,  # for Tune's own records; the study is in Optuna's storage
                verbose=0,
                callbacks=[monitor],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
                # The pool counts failures, too, and knows their cause. One more retry here lets a client report it.
                failure_config=tune.FailureConfig(max_failures=sweep.space.max_failures + 1),
            ),
        ).fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _usage(pool: Any, started: Any) -> Usage:
    """How busy the workers were; empty if the process of the pool has died."""
    import ray

    try:
        ray.get(started)
        return Usage(**ray.get(pool.usage.remote()))
    except ray.exceptions.RayTaskError as error:
        raise PodiumError(f"a worker did not start: {_cause(error)}") from error
    except ray.exceptions.RayActorError:
        return Usage(0.0, [])


def _quiet_tune(n_clients: int) -> None:
    os.environ.update(
        {
            "TUNE_MAX_PENDING_TRIALS_PG": str(n_clients),
            "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # cut the driver's memory from 730 to 238 MB
            "TUNE_GLOBAL_CHECKPOINT_S": "inf",  # Tune's own records are never read, and would grow with the trials
            "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a diverged trial reports no score
            "TUNE_DISABLE_SIGINT_HANDLER": "1",  # our handler lets trials end with a checkpoint
            "RAY_AIR_NEW_OUTPUT": "0",
            "RAY_CHDIR_TO_TRIAL_DIR": "0",
        }
    )
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)


def _cause(error: BaseException) -> str:
    """The last line of a Ray error, which is the cause if the error includes a remote traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
