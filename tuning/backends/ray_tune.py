"""Ray Tune over the worker pool. The recipe here was measured to keep every worker busy from first trial to last."""

import logging
import os
import shutil
import tempfile
from uuid import uuid4

from podium.core.config import RunConfig
from podium.core.errors import PodiumError
from tuning.backends import Sweep, Usage
from tuning.machine import cores_here, device_groups

# Two for each worker, so that the next trial waits for the worker and never the worker for a trial.
CLIENTS_PER_WORKER = 2
# Clients take no device. {"cpu": 0} alone is refused; a sliver of the head node keeps them where the driver is.
CLIENT_RESOURCES = {"cpu": 0, "node:__internal_head__": 0.001}


class RayBackend:
    name = "ray"

    def __init__(self, config: RunConfig, workers: int | str, n_trials: int) -> None:
        """Starts Ray here, or joins the cluster that RAY_ADDRESS names or this process has joined already."""
        # What Ray prints of a dead worker is a paragraph that names neither trial nor cause; read when it is imported.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
        import ray

        self._started_ray = not ray.is_initialized()
        if self._started_ray:
            start_ray()
        try:
            self._groups = device_groups(config, workers, n_trials, ray.cluster_resources())
        except PodiumError:
            self.close()
            raise
        self.n_workers = len(self._groups)

    def run(self, sweep: Sweep) -> Usage:
        import ray

        from tuning.pool import Rules, start_pool

        n_clients = min(_n_clients(self.n_workers), sweep.bridge.n_to_run)
        pool_name = f"podium-{sweep.folder.name}-{uuid4().hex[:8]}"
        n_first = min(n_clients, sweep.bridge.n_at_once)  # who come without a part having ended
        rules = Rules(sweep.space.max_failures, sweep.space.trial_timeout_s)
        pool = start_pool(sweep.make_worker, sweep.folder, self._groups, n_first, pool_name, rules)
        try:
            started = pool.ready.remote()  # Tune and its clients start meanwhile
            _tune(sweep, pool_name, n_clients)
            try:
                ray.get(started)
            except ray.exceptions.RayError as error:
                raise PodiumError(f"a worker did not start: {_cause(error)}") from error
            return Usage(**ray.get(pool.usage.remote()))
        finally:
            ray.kill(pool)  # and with it the workers, which it owns

    def close(self) -> None:
        import ray

        if self._started_ray:
            ray.shutdown()


def _n_clients(n_workers: int) -> int:
    """With one worker a trial is asked for when the one before is told, so that proposals do not depend on timing."""
    return 1 if n_workers == 1 else CLIENTS_PER_WORKER * n_workers


def start_ray() -> None:
    """A Ray of our own, or the cluster that RAY_ADDRESS names. Raises PodiumError."""
    import ray

    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    address = os.environ.get("RAY_ADDRESS")
    # What a cluster has is its own to say; token authentication stays on as Ray has it.
    here = {} if address else {"num_cpus": len(cores_here()), "object_store_memory": 256 * 2**20}
    try:
        ray.init(
            address=address or "local",
            namespace="podium",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **here,
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        where = address or "here"
        raise PodiumError(f"Ray did not start or answer ({where}): {_cause(error)}; try --backend inline") from error


def _tune(sweep: Sweep, pool_name: str, n_clients: int) -> None:
    _quiet_tune(n_clients)
    from ray import tune

    from tuning.trainable import POOL, TrialClient

    scratch = tempfile.mkdtemp(prefix="podium-tune-")
    try:
        tune.Tuner(
            tune.with_resources(TrialClient, CLIENT_RESOURCES),
            param_space={POOL: pool_name},
            tune_config=tune.TuneConfig(
                search_alg=sweep.bridge,
                scheduler=sweep.scheduler,
                num_samples=sweep.bridge.n_to_run,
                max_concurrent_trials=n_clients,
                reuse_actors=True,
                trial_dirname_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name=sweep.folder.name,
                storage_path=scratch,  # Tune's own records; the study's are Optuna's
                verbose=0,
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _quiet_tune(n_clients: int) -> None:
    os.environ.update(
        {
            "TUNE_MAX_PENDING_TRIALS_PG": str(n_clients),
            "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # cut the driver's memory from 730 to 238 MB
            "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a diverged trial reports no score
            "TUNE_DISABLE_SIGINT_HANDLER": "1",  # ours lets trials end with a checkpoint
            "RAY_AIR_NEW_OUTPUT": "0",
            "RAY_CHDIR_TO_TRIAL_DIR": "0",
        }
    )
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)


def _cause(error: BaseException) -> str:
    """The last line of a Ray error, which is the cause where a remote traceback comes with it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
