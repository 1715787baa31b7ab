"""Writes a study and its trials to MLflow. Every call may be repeated, and raises whatever MLflow raises."""

from collections.abc import Mapping
from typing import Any

from podium.core import run_files
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.files import write_text
from podium.core.states import State
from tuning.search.labels import params_label
from tuning.search.space import SearchSpace
from tuning.study.data import FUNCTION
from tuning.study.files import LOG_TAIL_FILE, MLFLOW_RUN_FILE, SPACE_FILE, TRACEBACK_FILE
from tuning.study.study import StudyView
from tuning.study.trial import TrialView
from tuning.tracking import datasets, spool, store, tables
from tuning.tracking.description import describe, param_name, param_value, shared_view
from tuning.tracking.plots import PlotWriter

# The params beside the searched ones: few, to keep the compare view readable. The whole config is an artifact.
KEY_PARAMS = ("model.source", "train.max_steps", "train.batch_size", "train.learning_rate")
ARTIFACTS = (
    *(run_files.CONFIG, run_files.PROVENANCE, run_files.PREDICTIONS, run_files.SCORECARD),
    *(TRACEBACK_FILE, LOG_TAIL_FILE),  # of a trial that crashed
)
Written = set[tuple[str, int]]  # the (metric, step) pairs that a run has


class StudyRuns:
    """The MLflow runs of one study. By trial number: `run_ids`, and the `states` that earlier sweeps wrote."""

    def __init__(self, uri: str, name: str, space: SearchSpace, data: Mapping[str, str]) -> None:
        self._uri, self._name, self._space, self._data = uri, name, space, data
        self._client: Any = None
        self._experiment = self._parent = ""
        self.run_ids: dict[int, str] = {}
        self.states: dict[int, str] = {}
        self._written: dict[str, Written] = {}  # by the id of each open run
        self._plots = PlotWriter(name)

    def open(self, study: StudyView) -> None:
        """Find the study's run and those of its trials by their tags; create the study's run if it does not exist.

        After an error, call this again: a request that failed may have been carried out.
        """
        self._written.clear()
        self._client = self._client or store.open_client(self._uri)
        self._experiment = store.experiment_id(self._client, self._space.name, self._uri)
        tags = {"study": self._name, "kind": "study"}
        found = store.find_runs(self._client, [self._experiment], tags)
        run = found[0] if found else self._client.create_run(self._experiment, run_name=self._name, tags=tags)
        self._parent = run.info.run_id
        self._written[self._parent] = self._points_of(run)
        self._client.update_run(self._parent, status="RUNNING")
        for run in store.find_runs(self._client, [self._experiment], {"study": self._name, "kind": "trial"}):
            number = int(run.data.tags["trial"])
            self.run_ids[number], self.states[number] = run.info.run_id, run.data.tags.get("state", "")
            store.mend_status(self._client, run)
        self._describe(study, "running")

    def write_trial(self, trial: TrialView) -> None:
        """Bring the trial's run up to date: its metrics, and its files and final state if it has ended."""
        params = {} if self.run_ids.get(trial.number) in self._written else _params(trial, FUNCTION in self._data)
        run_id = self._open_trial(trial)
        written = self._written[run_id]
        if trial.state.is_final:
            store.log_files(self._client, run_id, [trial.dir / name for name in ARTIFACTS])
            tables.log_tables(self._client, run_id, trial.dir)
        new = [point for point in spool.points(trial) if (point[0], point[2]) not in written]
        # One request, whose tags are written last: a final state implies that the rest is complete.
        store.log(self._client, run_id, new, _tags(trial) if trial.state.is_final else {}, params)
        written.update((name, step) for name, _, step, _ in new)
        if trial.state.is_final:
            end_ms = spool.span_ms(trial)[1]
            self._client.set_terminated(run_id, status=store.STATUS[trial.state], end_time=end_ms)
            del self._written[run_id]
            self._plots.refresh(self._client, self._parent)

    def close(self, study: StudyView, summary: Mapping[str, Any]) -> None:
        """Write the study's run at the end of a sweep: description, figures, and the best score after each trial."""
        now = spool.now_ms()
        figures = {name: value for name, value in summary.items() if isinstance(value, int | float)}
        points = [(f"sweep/{name}", float(value), len(study.trials), now) for name, value in figures.items()]
        points += _best_so_far(study)
        new = [point for point in points if (point[0], point[2]) not in self._written[self._parent]]
        store.log(self._client, self._parent, new, {})
        self._describe(study, "stopped" if summary.get("stopped") else "complete")
        store.log_files(self._client, self._parent, [study.dir / SPACE_FILE])
        self._plots.write(self._client, self._parent, study)
        ended = State.FAILED if summary.get("failed") else State.STOPPED if summary.get("stopped") else State.COMPLETE
        self._client.set_terminated(self._parent, status=store.STATUS[ended])

    def _open_trial(self, trial: TrialView) -> str:
        """Find or create the trial's run, and open it for writing. Returns its id."""
        run_id = self.run_ids.get(trial.number)
        if run_id in self._written:
            return str(run_id)
        tags = {**_tags(trial), "state": State.RUNNING}
        if run_id is None:
            about = {"study": self._name, "trial": trial.number, "kind": "trial", store.PARENT: self._parent}
            run = self._client.create_run(
                self._experiment,
                start_time=spool.span_ms(trial)[0],
                run_name=run_name(trial),
                tags=store.texts({**about, **tags}),
            )
            run_id = self.run_ids[trial.number] = str(run.info.run_id)
        else:
            run = self._client.get_run(run_id)
            self._client.update_run(run_id, status="RUNNING")
            store.log(self._client, run_id, [], tags)
        if config := _config(trial):
            store.log_datasets(self._client, run_id, datasets.inputs(config, self._data))
        write_text(trial.dir / MLFLOW_RUN_FILE, run_id)
        self._written[run_id] = self._points_of(run)
        return run_id

    def _points_of(self, run: Any) -> Written:
        return {
            (metric, entry.step)
            for metric in run.data.metrics
            for entry in self._client.get_metric_history(run.info.run_id, metric)
        }

    def _describe(self, study: StudyView, state: str) -> None:
        space = study.space
        about = {"space": space.name, "sampler": space.sampler.name, "scheduler": space.scheduler.name}
        note = describe(study, self._experiment, self.run_ids)
        tags = {**about, "metric": space.metric, "state": state, "mlflow.note.content": note}
        store.log(self._client, self._parent, [], tags)
        self._client.set_experiment_tag(self._experiment, *shared_view(study))


def run_name(trial: TrialView) -> str:
    """`trial-012 lr=3.1e-4 r=8`."""
    return f"trial-{trial.number:03d} {'baseline' if trial.baseline else params_label(trial.overrides)}".rstrip()[:80]


def _tags(trial: TrialView) -> dict[str, Any]:
    config = _config(trial)
    return {"state": trial.state, "reason": trial.reason, "program_key": config.program_key if config else None}


def _params(trial: TrialView, is_of_function: bool) -> dict[str, Any]:
    """The params of the trial's run. MLflow's params cannot change, so a member of a population has those it drew.

    What a training function of the user's own reads beside the searched params is not known.
    """
    try:
        config = trial.space.config(trial.overrides)
    except UsageError:
        return {param_name(key): param_value(value) for key, value in trial.overrides.items()}
    searched = [key for key in trial.space.parameters if "." in key]
    inactive = {key for key in searched if key not in trial.overrides} if not trial.baseline else set()
    shown = [key for key in (*(() if is_of_function else KEY_PARAMS), *searched) if key not in inactive]
    return {param_name(key): param_value(config.get(key)) for key in shown}


def _config(trial: TrialView) -> RunConfig | None:
    """The trial's config; None if its values contradict each other, which makes it infeasible."""
    try:
        return trial.run_config
    except UsageError:
        return None


def _best_so_far(study: StudyView) -> list[store.Point]:
    """The best score so far at each complete trial; the step is the trial's number."""
    found: list[store.Point] = []
    better = max if study.space.direction == "maximize" else min
    for trial in study.trials:
        if trial.value is not None:
            best = better(trial.value, found[-1][1]) if found else trial.value
            found.append((f"best/{study.space.metric}", best, trial.number, spool.span_ms(trial)[1]))
    return found
