"""Rebuilds the records of a study: what its damaged storage still says, completed from the folders of its trials."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from podium.core.config import RunConfig, load_config
from podium.core.damage import Findings
from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.records import Report, read_record
from podium.core.run_files import CONFIG, PROVENANCE
from podium.core.states import State
from trainer.run.metrics_log import MetricsLog
from tuning.bridge.outcome import AVOIDED_STATES, final_metrics
from tuning.search.population import Lineage
from tuning.search.space import SearchSpace
from tuning.study import trial as attributes
from tuning.study.create import draw
from tuning.study.files import EVENTS_FILE, REPORT_FILE, TRIALS_DIR, trial_dir
from tuning.study.study import DATA, N_ENQUEUED, N_TRANSFERRED, SPACE
from tuning.study.trial import TrialView, trial_view

if TYPE_CHECKING:
    from optuna import Study

FINISHED = {State.COMPLETE: TrialState.COMPLETE, State.FAILED: TrialState.FAIL}  # every other final state: PRUNED


def rebuild(known: Study, space: SearchSpace, folder: Path, into: Study, found: Findings) -> None:
    """Fill the empty Optuna study `into` from `known`, which has what was salvaged, and from the folders of the trials.

    What could not be rebuilt is added to `found`.
    """
    trials = known.get_trials(deepcopy=False)
    for name, value in {**_study_attributes(space, folder, trials), **known.user_attrs}.items():
        into.set_user_attr(name, value)
    if DATA not in into.user_attrs:
        found.lost.append("the hashes of the study's data: it can be shown, but neither resumed nor promoted")
    numbers = [int(path.name) for path in (folder / TRIALS_DIR).glob("*") if path.name.isdigit()]
    for number in range(max([len(trials), *(number + 1 for number in numbers)])):
        salvaged = trials[number] if number < len(trials) else None
        trial = _Trial(number, salvaged, space, folder, found)
        try:
            into.add_trial(trial.record())
        except ValueError:  # what is left contradicts itself
            into.add_trial(trial.failed())


def _study_attributes(space: SearchSpace, folder: Path, trials: list[FrozenTrial]) -> dict[str, Any]:
    """The study's attributes as far as they follow from other files."""
    transferred = sum(attributes.TRANSFERRED_FROM in trial.user_attrs for trial in trials)
    data = _data(folder)
    return {
        SPACE: space.to_yaml(),
        N_ENQUEUED: int(space.baseline) + len(space.start_with),
        **({N_TRANSFERRED: transferred} if transferred else {}),
        **({DATA: data} if "evalset_sha256" in data else {}),
    }


def _data(folder: Path) -> dict[str, str]:
    """The hashes of the data that the trials trained and were scored on."""
    data: dict[str, str] = {}
    for trial in sorted((folder / TRIALS_DIR).glob("*")):
        with contextlib.suppress(UsageError, KeyError, TypeError):
            name = load_config(trial / CONFIG).data.trainset
            data[f"trainset_sha256 of {name}"] = read_json(trial / PROVENANCE)["sha256"]["trainset"]
            data["evalset_sha256"] = read_json(trial / "predictions_meta.json")["evalset"]["sha256"]
    return data


@dataclass(frozen=True)
class _Trial:
    """One trial to rebuild; `salvaged` is what the storage still says of it."""

    number: int
    salvaged: FrozenTrial | None
    space: SearchSpace
    folder: Path
    found: Findings

    def record(self) -> FrozenTrial:
        """The trial as Optuna is to have it."""
        known = self.salvaged
        if known and attributes.TRANSFERRED_FROM in known.user_attrs:
            return known
        if known and known.state.is_finished() and self._is_whole(known):
            return self._completed(known)
        if known and known.state is TrialState.WAITING and not self._dir.is_dir():
            return known
        drawn = self._drawn()
        if drawn is None:
            return self.failed()
        return self._told(drawn, self._begun(drawn))

    def failed(self) -> FrozenTrial:
        """A trial of which too little is left."""
        self.found.lost.append(f"trial {self.number}: everything; it has failed")
        reason = "its records were lost"
        return _created(TrialState.FAIL, {attributes.STATE: State.FAILED, attributes.REASON: reason})

    def _is_whole(self, known: FrozenTrial) -> bool:
        """Whether what Optuna has of a trial that has ended makes sense."""
        attrs = known.user_attrs
        if not {attributes.STATE, attributes.OVERRIDES} <= attrs.keys():
            return False
        with contextlib.suppress(ValueError, TypeError, AttributeError):
            view = trial_view(known, self.space, self.folder)
            return view.state.is_final and set(view.overrides) <= set(self.space.parameters)
        return False

    def _completed(self, known: FrozenTrial) -> FrozenTrial:
        """A trial that has ended, with the values, reports and attributes that the storage lost."""
        drawn = self._drawn()
        if drawn and known.params.keys() < drawn.params.keys():
            known.params, known.distributions = drawn.params, drawn.distributions
        if not self.space.objectives:
            known.intermediate_values = self._reports()
        view, end = trial_view(known, self.space, self.folder), self._end()
        if end and end[0] == view.state:
            known.user_attrs = {**self._about(view, *end), **known.user_attrs}
        told = _created(TrialState.PRUNED, {}, constraints=self._constraints(view, known.user_attrs))
        known.system_attrs = {**told.system_attrs, **known.system_attrs}
        return known

    def _constraints(self, view: TrialView, attrs: Mapping[str, Any]) -> dict[str, float]:
        """By how much each constraint is broken, as the bridge tells it; `attrs` are the final user attributes."""
        metrics = attrs.get(attributes.METRICS)
        violations = self.space.violations(view.config, metrics) if metrics else {}
        return {"state": 1.0 if attrs[attributes.STATE] in AVOIDED_STATES else -1.0, **violations}

    @property
    def _dir(self) -> Path:
        return trial_dir(self.folder, self.number)

    def _drawn(self) -> optuna.trial.FixedTrial | None:
        """An Optuna trial with the parameters that this one drew; None if they are lost."""
        values = self.salvaged.user_attrs.get(attributes.OVERRIDES) if self.salvaged else None
        if values is None and (config := self._config()):
            values = {key: config.get(key) for key in self.space.parameters if "." in key}
        if values is None:
            return None
        fixed = optuna.trial.FixedTrial(self.space.params(values))
        if self._is_baseline:
            fixed.set_user_attr(attributes.BASELINE, True)
        try:
            fixed.set_user_attr(attributes.OVERRIDES, draw(fixed, self.space))  # type: ignore[arg-type]
        except ValueError:  # a parameter has no value
            return None
        return fixed

    @property
    def _is_baseline(self) -> bool:
        known = self.salvaged.user_attrs if self.salvaged else {}
        return bool(known.get(attributes.BASELINE)) or (self.number == 0 and self.space.baseline)

    def _config(self) -> RunConfig | None:
        with contextlib.suppress(UsageError):
            return load_config(self._dir / CONFIG)
        return None

    def _begun(self, drawn: optuna.trial.FixedTrial) -> dict[str, Any]:
        """The user attributes of the trial before its end."""
        known = dict(self.salvaged.user_attrs) if self.salvaged else {}
        begun = {**known, **drawn.user_attrs}
        config = self._config()
        lineage = None
        with contextlib.suppress(KeyError, ValueError):
            lineage = Lineage.model_validate(known[attributes.LINEAGE])
        if config and config.train.changes != (lineage.changes if lineage else ()):
            self.found.lost.append(f"trial {self.number}: which trial it copied, and when")
            root = {key: config.get(key) for key in drawn.user_attrs[attributes.OVERRIDES]}
            begun[attributes.LINEAGE] = Lineage(root=root, changes=config.train.changes).model_dump(mode="json")
        return begun

    def _reports(self) -> dict[int, float]:
        """The score by step; the first report of a step counts."""
        reports = dict(self.salvaged.intermediate_values) if self.salvaged else {}
        for event in self._events():
            metrics, step = event.get("metrics"), event.get("step")
            score = metrics.get(self.space.metric) if isinstance(metrics, dict) else None
            if isinstance(score, float | int) and isinstance(step, int):
                reports.setdefault(step, float(score))
        return reports

    def _events(self) -> list[dict[str, Any]]:
        return MetricsLog(self._dir / EVENTS_FILE).lines()

    def _end(self) -> tuple[State, Report | None] | None:
        """How the trial ended, and its last report; None if it did not end, or was only stopped."""
        for event in reversed(self._events()):
            if event.get("event") != "finished":
                continue
            with contextlib.suppress(KeyError, ValueError, TypeError):
                state = State(event["state"])
                return None if state is State.STOPPED else (state, self._report(event) if "step" in event else None)
        return None

    def _report(self, event: Mapping[str, Any]) -> Report:
        names = ("step", "metrics", "elapsed_s", "compile_s")
        return Report(state=State.RUNNING, **{name: event[name] for name in names})

    def _reason(self, step: int) -> str | None:
        """Why it ended; report.json has the reason of the last report."""
        with contextlib.suppress(UsageError):
            report = read_record(Report, self._dir / REPORT_FILE)
            return report.reason if report.step == step else None
        return None

    def _told(self, drawn: optuna.trial.FixedTrial, begun: dict[str, Any]) -> FrozenTrial:
        """The trial with its end, as the bridge tells it; still running if its end is not known."""
        reports, end = self._reports(), self._end()
        several = bool(self.space.objectives)
        running = _created(
            TrialState.RUNNING,
            {**begun, attributes.STATE: State.RUNNING, **({attributes.REPORTS: reports} if several else {})},
            params=drawn.params,
            distributions=drawn.distributions,
            intermediate_values={} if several else reports,
        )
        if end is None:
            return running
        running.number = self.number
        return self._finished(running, trial_view(running, self.space, self.folder), *end)

    def _finished(self, running: FrozenTrial, view: TrialView, state: State, report: Report | None) -> FrozenTrial:
        about = self._about(view, state, report)
        metrics: dict[str, float] = about.get(attributes.METRICS, {})
        score = view.reports.get(report.step) if report else None
        values = [score, *(metrics.get(name) for name, _ in self.space.aims[1:])]
        if state is State.COMPLETE and None in values:
            self.found.lost.append(f"trial {self.number}: its score; a resume goes on from its newest checkpoint")
            return running
        return _created(
            FINISHED.get(state, TrialState.PRUNED),
            {**running.user_attrs, **about},
            values=values if state is State.COMPLETE else None,
            params=running.params,
            distributions=running.distributions,
            intermediate_values=running.intermediate_values,
            constraints=self._constraints(view, about),
        )

    def _about(self, view: TrialView, state: State, report: Report | None) -> dict[str, Any]:
        """The user attributes that say how the trial ended."""
        step = report.step if report else view.step
        about = {
            attributes.STATE: state,
            attributes.STEP: max(step, view.step),
            attributes.METRICS: final_metrics(report, view) if report else None,
            attributes.REASON: self._reason(step),
        }
        return {name: value for name, value in about.items() if value is not None}


def _created(state: TrialState, user_attrs: dict[str, Any], **more: Any) -> FrozenTrial:
    return optuna.create_trial(state=state, user_attrs=user_attrs, **more)
