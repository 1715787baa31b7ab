"""The bridge of a population: trials go through it in parts, from one meeting of all members to the next.

To Tune, and to the inline backend, each part is a trial of its own that ends at its last step. So neither needs to know
of populations, members share however few workers there are, and nothing depends on Tune's memory: what a resumed sweep
needs is with the Optuna trials and in their folders.
"""

import random
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from podium.core.files import link_tree, read_json
from podium.core.records import Report
from podium.core.states import State
from tuning.bridge.searcher import OptunaBridge, job_of
from tuning.protocol import Job, read_report
from tuning.search.population import Mutation, Standing, change_at, exploits, explore, stops
from tuning.search.schedulers.pbt import PbtScheduler
from tuning.study.files import pointer_file, stop_file
from tuning.study.study import study_view
from tuning.study.trial import LINEAGE, TrialView


class PopulationBridge(OptunaBridge):
    """All members are asked of Optuna before the first begins. At a meeting, those that had diverged copy another, as
    the worst do; at the end, and where nobody is left to copy, they end as diverged. Other failures end a member at
    once.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        space = self._space
        assert isinstance(space.scheduler, PbtScheduler)
        self._options: PbtScheduler = space.scheduler
        self._stops: list[int] = stops(self._options.interval(space.report_every_steps), space.max_steps)
        self._n_members, self._n_new = self.n_trials_left, self._limit - self._n_asked
        self._seen: dict[int, TrialView] = {view.number: view for view in study_view(self._study).trials}
        self._members: dict[int, tuple[Any, TrialView]] = {}  # those that have not ended
        self._gathered = False
        self._todo: deque[int] = deque()  # members whose next part is not handed out
        self._part: tuple[int, int] = (0, 0)  # first and last step of the parts that are under way

    @property
    def n_to_run(self) -> int:
        return self._n_members * len(self._stops)

    @property
    def n_at_once(self) -> int:
        return max(1, self._n_new)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next part of a member; None while the others are on their way to a meeting."""
        if stop_file(self._folder).exists():
            return str(Searcher.FINISHED)
        self._gather()
        if not self._todo and not self._live:
            self._meet()
        if not self._todo:
            return None if self._live else str(Searcher.FINISHED)
        member = self._members[self._todo.popleft()]
        self._live[trial_id] = member
        return self._job(member[1]).to_config()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if trial_id not in self._live:
            return
        report = read_report(result) if result and not error else None
        number = self._live[trial_id][1].number
        if report and report.state is State.RUNNING:
            view = self._record(trial_id, report)
            self._emit("reported", view, report)
            self._put_back(trial_id, view)
        elif report and report.state is State.DIVERGED and self._has_hope(number):
            view = self._record(trial_id, report)
            lost = {**view.lineage.lost, self._part[1]: report.reason or "diverged"}
            self._put_back(trial_id, self._write(number, view, lost=lost))
        else:
            del self._members[number]
            super().on_trial_complete(trial_id, result, error)

    def stop_rest(self) -> None:
        self._live = {str(number): member for number, member in self._members.items()}
        self._members.clear()
        super().stop_rest()

    def _record(self, trial_id: str, report: Any) -> TrialView:
        view = super()._record(trial_id, report)
        self._seen[view.number] = view
        return view

    def _put_back(self, trial_id: str, view: TrialView) -> None:
        trial, _ = self._live.pop(trial_id)
        self._members[view.number] = (trial, view)

    def _gather(self) -> None:
        """Ask for all members, once; those of an earlier sweep first."""
        if self._gathered:
            return
        self._gathered = True
        while begun := self._next_trial():
            _, view = begun
            self._members[view.number], self._seen[view.number] = begun, view

    def _meet(self) -> None:
        """Find the part that is next, and decide at its beginning who copies whom: once more where that was done, for
        an earlier sweep may not have come to the end of it."""
        for first, last in zip([0, *self._stops], self._stops, strict=False):
            if all(self._is_past(view, last) for _, view in self._members.values()):
                continue
            self._part = (first, last)
            if first:
                self._perturb(first)
            self._todo.extend(number for number, (_, view) in self._members.items() if not self._is_past(view, last))
            if self._todo:
                return

    def _is_past(self, view: TrialView, stop: int) -> bool:
        return stop in view.reports or stop in view.lineage.lost

    def _has_hope(self, number: int) -> bool:
        return self._part[1] < self._stops[-1] and not self._seen[number].baseline

    def _perturb(self, step: int) -> None:
        sign = 1 if self._space.mode == "max" else -1
        standings = [
            Standing(view.number, sign * view.reports[step] if step in view.reports else None, view.baseline)
            for view in self._seen.values()
            if self._is_past(view, step)
        ]
        rng = random.Random(f"{self._space.sampler.seed}/{step}")
        chosen = exploits(standings, self._options.quantile, rng)
        for number, (trial, view) in list(self._members.items()):
            if view.lineage.mutated_at(step):
                continue
            if number in chosen and (checkpoint := self._checkpoint(chosen[number], step)):
                self._copy(view, self._seen[chosen[number]], checkpoint, step)
            elif step in view.lineage.lost:
                del self._members[number]
                reason = view.lineage.lost[step]
                self._finish(trial, replace(view, state=State.DIVERGED, reason=reason))

    def _copy(self, view: TrialView, donor: TrialView, checkpoint: Path, step: int) -> None:
        """The donor's checkpoint goes to the copier first: as a link it stays whatever becomes of the donor's own."""
        link_tree(checkpoint, donated(view) / checkpoint.name)
        rng = random.Random(f"{self._space.sampler.seed}/{step}/{view.number}")
        before = donor.config.at(step)
        overrides = explore(self._space, before, self._options, rng)
        change = change_at(step, before, self._space.config(overrides), self._space.parameters)
        mutation = Mutation(
            step=step,
            donor=donor.number,
            overrides=overrides,
            donor_score=donor.reports[step],
            score=view.reports.get(step),
        )
        view = self._write(
            view.number,
            view,
            root=donor.lineage.root,
            changes=(*donor.lineage.changes, *([change] if change else [])),
            mutations=(*view.lineage.mutations, mutation),
        )
        self._emit("mutated", view)

    def _write(self, number: int, view: TrialView, **changed: Any) -> TrialView:
        """Put a member's lineage on record."""
        trial, _ = self._members[number]
        lineage = view.lineage.model_copy(update=changed)
        trial.set_user_attr(LINEAGE, lineage.model_dump(mode="json"))
        view = replace(view, population=lineage)
        self._members[number], self._seen[number] = (trial, view), view
        return view

    def _checkpoint(self, number: int, step: int) -> Path | None:
        """Where the trial was at this meeting; None where its worker could not save it."""
        path = pointer_file(self._folder, number)
        pointer = read_json(path) if path.is_file() else {}
        return Path(pointer["checkpoint"]) if pointer.get("step") == step else None

    def _job(self, view: TrialView) -> Job:
        first, last = self._part
        checkpoint = next(donated(view).iterdir()) if view.lineage.mutated_at(first) else None
        job = job_of(view)
        return job.model_copy(
            update={
                "last_report": job.last_report if self._still_counts(view.number, job.last_report) else None,
                "start": first,
                "end": last,
                "checkpoint": checkpoint,
                "pointer": pointer_file(self._folder, view.number),
            }
        )

    def _still_counts(self, number: int, unheard: Report | None) -> bool:
        """Whether the newest report is of this part; that of its end only with the checkpoint which goes with it."""
        first, last = self._part
        if unheard is None or not first < unheard.step <= last:
            return False
        return unheard.step < last or last == self._stops[-1] or self._checkpoint(number, last) is not None


def donated(view: TrialView) -> Path:
    """The folder that holds the checkpoint which a member took over last."""
    return view.dir / "donated"
