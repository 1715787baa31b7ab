"""What a study and its trials look like in MLflow. Every call may be repeated, and raises whatever MLflow does."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from podium.core.duration import format_duration
from podium.core.errors import UsageError
from podium.core.states import State
from trainer.metrics_log import MetricsLog
from tuning.labels import params_label
from tuning.space import SearchSpace
from tuning.study import StudyView, TrialView
from tuning.tracking import store
from tuning.tracking.store import Point

# Flat and few, so that the compare view can be read; the whole config is an artifact.
KEY_PARAMS = (
    *("model.source", "data.trainset", "train.max_steps", "train.batch_size", "train.learning_rate", "train.seed"),
    *("lora.enabled", "eval.evalset"),
)
ARTIFACTS = ("config.yaml", "provenance.json", "predictions.jsonl", "scorecard.json", "traceback.txt")
LOGGED = {"loss": "train/loss", "learning_rate": "train/learning_rate"}  # in metrics.jsonl -> in MLflow
# MLflow has no status for what was ended early on purpose, or went wrong by its configuration: the tag `state` says it.
STATUS = {State.RUNNING: "RUNNING", State.COMPLETE: "FINISHED", State.PRUNED: "KILLED", State.STOPPED: "KILLED"}


class StudyRuns:
    """The runs of one study: `run_ids` by trial number, and the states that earlier sweeps have left in them."""

    def __init__(self, uri: str, name: str, space: SearchSpace, data: Mapping[str, str]) -> None:
        self._uri, self._name, self._space = uri, name, space
        self._data = {key.replace(" of ", "."): value for key, value in data.items()}
        self._client: Any = None
        self._experiment = self._parent = ""
        self.run_ids: dict[int, str] = {}
        self.states: dict[int, str] = {}
        self._opened: set[int] = set()
        self._scored: dict[int, set[int]] = {}  # steps whose score the trial's run has
        self._logged: dict[int, int] = {}  # the newest step of metrics.jsonl that it has

    def open(self) -> None:
        """Find the study's run and those of its trials by their tags, or make the first."""
        self._client = store.open_client(self._uri)
        self._experiment = store.experiment_id(self._client, self._space.name, self._uri)
        tags = {"study": self._name, "kind": "study"}
        found = store.find_runs(self._client, [self._experiment], tags)
        run = found[0] if found else self._client.create_run(self._experiment, run_name=self._name, tags=tags)
        self._parent = run.info.run_id
        space = self._space
        about = {"space": space.name, "sampler": space.sampler.name, "scheduler": space.scheduler.name}
        store.log_facts(self._client, self._parent, {**about, "metric": space.metric, "state": "running", **self._data})
        self._client.update_run(self._parent, status="RUNNING")
        for run in store.find_runs(self._client, [self._experiment], {"study": self._name, "kind": "trial"}):
            number = int(run.data.tags["trial"])
            self.run_ids[number], self.states[number] = run.info.run_id, run.data.tags.get("state", "")

    def open_trial(self, trial: TrialView) -> None:
        """Find or make the trial's run, for writing to it."""
        if trial.number in self._opened:
            return
        run_id = self.run_ids.get(trial.number)
        if run_id is None:
            tags = {"study": self._name, "trial": str(trial.number), "kind": "trial", store.PARENT: self._parent}
            run = self._client.create_run(self._experiment, run_name=run_name(trial), tags=tags)
            run_id = self.run_ids[trial.number] = run.info.run_id
        else:
            self._client.update_run(run_id, status="RUNNING")
        self._scored[trial.number] = {point.step for point in self._history(run_id, self._space.metric)}
        self._logged[trial.number] = max((point.step for point in self._history(run_id, LOGGED["loss"])), default=-1)
        store.log_facts(self._client, run_id, {**self._tags(trial), "state": State.RUNNING}, _params(trial))
        self._opened.add(trial.number)

    def write_trial(self, trial: TrialView, points: Iterable[Point]) -> None:
        """Add `points`, the scores and logged steps that are new, and for a trial that has ended what became of it."""
        run_id, now = self.run_ids[trial.number], now_ms()
        scored, newest = self._scored[trial.number], self._logged[trial.number]
        scores = [(self._space.metric, value, step, now) for step, value in trial.reports.items() if step not in scored]
        lines = [line for line in MetricsLog(trial.dir / "metrics.jsonl").lines() if line["step"] > newest]
        store.log_points(self._client, run_id, [*points, *scores, *logged_points(lines)])
        scored.update(trial.reports)
        self._logged[trial.number] = max((line["step"] for line in lines), default=newest)
        if trial.state.is_final:
            store.log_files(self._client, run_id, [trial.dir / name for name in ARTIFACTS])
            store.log_facts(self._client, run_id, self._tags(trial))
            self._client.set_terminated(run_id, status=STATUS.get(trial.state, "FAILED"))
            self._opened.discard(trial.number)

    def close(self, study: StudyView, summary: Mapping[str, Any]) -> None:
        """The study's run at the end of a sweep: description, figures, best score."""
        now = now_ms()
        figures = {name: value for name, value in summary.items() if isinstance(value, int | float)}
        points = [(f"sweep/{name}", float(value), 0, now) for name, value in figures.items()]
        best = _best(study)
        if best and best.value is not None:
            points.append((f"best/{study.space.metric}", best.value, best.step, now))
        state = "stopped" if summary["stopped"] else "complete"
        store.log_points(self._client, self._parent, points)
        store.log_facts(self._client, self._parent, {"state": state, "mlflow.note.content": note(study, summary)})
        store.log_files(self._client, self._parent, [study.dir / "space.yaml"])
        self._client.set_terminated(self._parent, status="KILLED" if summary["stopped"] else "FINISHED")

    def _history(self, run_id: str, metric: str) -> list[Any]:
        return list(self._client.get_metric_history(run_id, metric))

    def _tags(self, trial: TrialView) -> dict[str, Any]:
        tags = {"state": trial.state, "reason": trial.reason, "baseline": str(trial.baseline).lower(), **self._data}
        try:
            config = trial.config
        except UsageError:  # infeasible: its values do not make a config
            return tags
        return {
            **tags,
            "program_key": config.program_key,
            "config_sha256": config.hash,
            "seed": config.train.seed,
        }


def logged_points(lines: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Lines of metrics.jsonl as MLflow points."""
    now = now_ms()
    return [
        (name, float(line[key]), int(line["step"]), now)
        for line in lines
        for key, name in LOGGED.items()
        if line.get(key) is not None
    ]


def run_name(trial: TrialView) -> str:
    """`trial-012 lr=0.00031 r=8`."""
    return f"trial-{trial.number:03d} {'baseline' if trial.baseline else params_label(trial.overrides)}".rstrip()[:120]


def note(study: StudyView, summary: Mapping[str, Any]) -> str:
    """The Markdown description of the study's run."""
    best = _best(study)
    states = ", ".join(f"{count} {state}" for state, count in sorted(summary["states"].items()))
    lines = [
        f"**{study.name}**: {states} in {format_duration(summary['wall_s'])}",
        f"- {study.space.direction} {study.space.metric}; {study.space.sampler.name}, {study.space.scheduler.name}",
        *(f"- {key}: {parameter}" for key, parameter in study.space.parameters.items()),
        f"- best: trial {best.number}, {best.value:.4g}" if best and best.value is not None else "- no complete trial",
        f"- folder: `{study.dir.name}`; promote the best with `podium promote {study.name} --as NAME`",
    ]
    return "\n".join(lines)


def now_ms() -> int:
    return int(time.time() * 1000)


def _params(trial: TrialView) -> dict[str, Any]:
    try:
        config = trial.config
    except UsageError:
        return dict(trial.overrides)
    sampled = {key: config.get(key) for key in trial.overrides}
    lora = ("lora.rank", "lora.alpha") if config.lora.enabled else ()
    return {**{key: config.get(key) for key in (*KEY_PARAMS, *lora)}, **sampled}


def _best(study: StudyView) -> TrialView | None:
    try:
        return study.best()
    except UsageError:
        return None
