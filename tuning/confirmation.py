"""Confirmation runs: configurations of a study, run again with new seeds and scored on the holdout.

They run as trials do, by the same backends and workers, in the folder `confirmation` of the study. A run is known by
its config: an interrupted promotion goes on where it was, and one with more seeds or candidates runs only what is new.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from eval.scorecard import Scorecard
from eval.scorers import get_scorer
from eval.sets.evalset import Evalset, cluster_label
from eval.statistics.clusters import Clusters, Floats
from eval.statistics.racing import Run, next_runs, reference_seeds
from podium.core.budgets.allowance import place_of_run
from podium.core.budgets.ledger import Meter
from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import PodiumError
from podium.core.files import read_jsonl, write_jsonl, write_text
from podium.core.records import Report, read_record
from podium.core.run_files import SCORECARD
from podium.core.states import State
from tuning.backends import make_backend
from tuning.backends.base import Sweep
from tuning.candidates import Configuration
from tuning.options import SweepOptions
from tuning.protocol import Job
from tuning.search.schedulers.none import NoScheduler
from tuning.stopping import watched
from tuning.study.files import (
    CONFIRMATION_DIR,
    CONFIRMATION_RUNS_FILE,
    SPACE_FILE,
    report_file,
    requested_stop,
    stop_file,
    trial_dir,
)
from tuning.study.locks import DriverLock, WorkersLock
from tuning.study.study import StudyView

METRIC = "holdout/answer_correctness"
FIRST_SEED = 1001  # far from those that people choose


@dataclass(frozen=True)
class ConfirmationRun:
    """A run that has ended; `score` in points on the holdout, None if it failed."""

    number: int
    configuration: Configuration
    seed: int
    state: State
    score: float | None
    reason: str | None = None


OnRun = Callable[[ConfirmationRun], None]


class Confirmation:
    """The race of a study's candidates (configurations 1 and on) against a reference (configuration 0)."""

    def __init__(
        self, study: StudyView, evalset: Evalset, configurations: Sequence[Configuration], n_seeds: int, alpha: float
    ) -> None:
        self.study, self.configurations = study, tuple(configurations)
        self.folder = study.dir / CONFIRMATION_DIR
        self._samples = evalset.split("holdout", study.space.base_config.eval.max_items)
        self._evalset, self._n_seeds, self._alpha = evalset, n_seeds, alpha
        self.clusters = Clusters.of(map(cluster_label, self._samples))
        self.n_runs = reference_seeds(len(configurations) - 1, n_seeds) + (len(configurations) - 1) * n_seeds
        self._seeds = self._new_seeds()
        self._numbers = self._known_numbers()
        self._values: dict[Run, Floats] = {}  # (items,) of the runs that are complete
        self.failed: dict[int, str] = {}  # configurations that a run of failed, and why
        self._on_run: OnRun = lambda run: None  # noqa: ARG005
        self._places: dict[int, Run] = {}  # by number
        for run in self._all_runs():
            self._look_up(run)

    def next_round(self) -> list[Job]:
        """The jobs of the runs to do now."""
        return [self._job(run) for run in self._missing()]

    def done(self) -> list[list[Floats]]:
        """The items' values of each configuration's runs, in the order of their seeds, up to the first missing one."""
        found: list[list[Floats]] = []
        for place in range(len(self.configurations)):
            wanted = [(place, seed) for seed in range(self._n_seeds if place else len(self._seeds))]
            found.append([self._values[run] for run in takewhile(self._values.__contains__, wanted)])
        return found

    def seeds(self, place: int) -> tuple[int, ...]:
        """The seeds of the configuration's runs in `done`."""
        return tuple(self._seeds[: len(self.done()[place])])

    def run_hashes(self) -> list[str]:
        """The hashes of the configs of all runs in `done`, sorted."""
        return sorted(
            self._config((place, seed)).hash for place, runs in enumerate(self.done()) for seed in range(len(runs))
        )

    def run(self, options: SweepOptions, on_run: OnRun | None = None) -> None:
        """Run what is missing; `on_run` is called when a run has ended.

        Raises:
            UsageError: another promotion of the study runs.
            PodiumError: it was stopped, the reference failed, or nothing is left to compare with it.
        """
        self._on_run = on_run or self._on_run
        if self._missing():
            self.folder.mkdir(exist_ok=True)
            with DriverLock(self.folder):
                self._drive(options)
        if 0 in self.failed:
            raise PodiumError(f"{self.configurations[0].label}: {self.failed[0]}; there is nothing to compare with")
        if len(self.failed) == len(self.configurations) - 1:
            raise PodiumError(f"no candidate could be confirmed: {next(iter(self.failed.values()))}")

    def _missing(self) -> list[Run]:
        if 0 in self.failed:
            return []
        wanted = next_runs(self.done(), self._n_seeds, self._alpha, self.clusters, tuple(self.failed))
        return [run for run in wanted if run not in self._values]

    def _drive(self, options: SweepOptions) -> None:
        from tuning.bridge.rounds import RoundsBridge

        space = self.study.space
        WorkersLock(self.folder).wait_for_none()
        stop_file(self.folder).unlink(missing_ok=True)
        write_text(self.folder / SPACE_FILE, space.to_yaml())
        backend = make_backend(options.backend, space, self.n_runs, options.address)
        try:
            bridge = RoundsBridge(self.folder, self.next_round, self._ended, self.n_runs)
            scheduler = NoScheduler().build(METRIC, "max", space.max_steps, space.max_steps)
            never = Deadline.after(None)
            place = place_of_run(space.base_config.budget.profile)
            with (
                Meter("promotion", self.study.name, place) as meter,
                watched(self.folder, never, never, options.stop, meter.tick),
            ):
                backend.run(Sweep(self.folder, space, bridge, scheduler, options.worker))
        finally:
            backend.close()
        if stop := requested_stop(self.folder):
            raise PodiumError(f"stopped: {stop.reason}; finished runs are kept, the same command goes on")

    def _ended(self, number: int, report: Report | None) -> None:
        place, _ = run = self._places[number]
        self._look_up(run)
        if run not in self._values and (report is None or report.state is not State.STOPPED):
            why = (report.reason or str(report.state)) if report else "its clients died"
            self.failed.setdefault(place, f"seed {self._seeds[run[1]]}: {why}")
        if run in self._values or place in self.failed:
            self._on_run(self._ended_run(run, number, report))

    def _ended_run(self, run: Run, number: int, report: Report | None) -> ConfirmationRun:
        values = self._values.get(run)
        return ConfirmationRun(
            number=number,
            configuration=self.configurations[run[0]],
            seed=self._seeds[run[1]],
            state=report.state if report else State.FAILED,
            score=None if values is None else 100 * float(values.mean()),
            reason=self.failed.get(run[0]),
        )

    def _look_up(self, run: Run) -> None:
        """Take the run's result from its folder, if it has one."""
        number = self._numbers.get(self._config(run).hash)
        if number is None or not report_file(self.folder, number).is_file():
            return
        report = read_record(Report, report_file(self.folder, number))
        if report.state is State.COMPLETE:
            values = self._scored(number)
            if values is not None:
                self._values[run] = values
        elif report.state.is_final:  # diverged or out of memory, which would happen again
            self.failed.setdefault(run[0], f"seed {self._seeds[run[1]]}: {report.reason or report.state}")

    def _scored(self, number: int) -> Floats | None:
        """The values of the holdout's items, None if they are of other items or another version of the scorer."""
        path = trial_dir(self.folder, number) / SCORECARD
        if not path.is_file():
            return None
        card = read_record(Scorecard, path)
        judge = get_scorer(self._evalset.chosen_scorer(self.configurations[0].config.eval.scorer))
        is_current = (card.scorer, card.scorer_version) == (judge.spec, judge.version)
        if not is_current or [score.id for score in card.scores] != [sample.id for sample in self._samples]:
            return None
        return np.array([score.value for score in card.scores])

    def _job(self, run: Run) -> Job:
        config = self._config(run)
        number = self._numbers.get(config.hash)
        if number is None:
            number = self._add(run, config)
        self._places[number] = run
        return Job(
            number=number,
            config=config,
            report_every_steps=config.steps,
            metric=METRIC,
            protected=True,
            reports={},
        )

    def _config(self, run: Run) -> RunConfig:
        seed = self._seeds[run[1]]
        return self.configurations[run[0]].config.with_overrides({"train.seed": seed, "generate.seed": seed})

    def _all_runs(self) -> list[Run]:
        return [(place, seed) for place in range(len(self.configurations)) for seed in range(len(self._seeds))]

    def _new_seeds(self) -> list[int]:
        """Seeds that no configuration has been trained with: the same for all, so that they see the same data."""
        taken = {one.config.train.seed for one in self.configurations}
        n_needed = reference_seeds(len(self.configurations) - 1, self._n_seeds)
        return [seed for seed in range(FIRST_SEED, FIRST_SEED + n_needed + len(taken)) if seed not in taken][:n_needed]

    def _known_numbers(self) -> dict[str, int]:
        path = self.folder / CONFIRMATION_RUNS_FILE
        rows = [row for _, row in read_jsonl(path)] if path.is_file() else []
        return {row["config_sha256"]: row["number"] for row in rows}

    def _add(self, run: Run, config: RunConfig) -> int:
        """Give a run the next number, and write that down."""
        path = self.folder / CONFIRMATION_RUNS_FILE
        rows = [row for _, row in read_jsonl(path)] if path.is_file() else []
        about = {"label": self.configurations[run[0]].label, "seed": self._seeds[run[1]]}
        write_jsonl(path, [*rows, {"number": len(rows), **about, "config_sha256": config.hash}])
        self._numbers[config.hash] = len(rows)
        return len(rows)
