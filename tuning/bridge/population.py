"""The bridge for population-based training. It runs each member in parts, from one perturbation step to the next.

At a perturbation step all members wait for one another, and some copy others. Tune and the inline backend see each part
as a trial of its own that ends at the part's last step. So neither needs to know about populations, members share any
number of workers, and a resumed sweep needs only the Optuna trials and their folders.
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
from tuning.bridge.searcher import OptunaBridge, job_for
from tuning.protocol import Job, read_report
from tuning.search.population import Mutation, Standing, change_at, exploits, explore, stops
from tuning.search.schedulers.pbt import PbtScheduler
from tuning.study.files import DONATED_DIR, pointer_file, stop_file
from tuning.study.study import study_view
from tuning.study.trial import LINEAGE, TrialView


class PopulationBridge(OptunaBridge):
    """Asks Optuna for all members before the first one starts.

    At a perturbation step a member that diverged copies another one, as the worst members do. It ends as diverged if it
    is the baseline, in its last part, or if no member is left to copy. Other failures end a member at once.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        space = self._space
        assert isinstance(space.scheduler, PbtScheduler)
        self._options: PbtScheduler = space.scheduler
        self._part_ends: list[int] = stops(self._options.interval(space.report_every_steps), space.max_steps)
        self._n_members, self._n_new = self.n_trials_left, self._limit - self._n_asked
        self._views: dict[int, TrialView] = {view.number: view for view in study_view(self._study).trials}
        self._members: dict[int, tuple[Any, TrialView]] = {}  # those that have not ended
        self._all_asked = False
        self._waiting: deque[int] = deque()  # members whose next part has not been suggested
        self._part: tuple[int, int] = (0, 0)  # first and last step of the parts that are running

    @property
    def n_jobs(self) -> int:
        return self._n_members * len(self._part_ends)

    @property
    def n_initial_jobs(self) -> int:
        return max(1, self._n_new)

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next part of a member; None while other members have not reached the perturbation step."""
        if stop_file(self._folder).exists():
            return str(Searcher.FINISHED)
        self._ask_all()
        if not self._waiting and not self._running:
            self._start_next_part()
        if not self._waiting:
            return None if self._running else str(Searcher.FINISHED)
        member = self._members[self._waiting.popleft()]
        self._running[trial_id] = member
        return self._part_job(member[1]).to_config()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        if trial_id not in self._running:
            return
        report = read_report(result) if result and not error else None
        number = self._running[trial_id][1].number
        if report and report.state is State.RUNNING:
            view = self._record(trial_id, report)
            self._notify("reported", view, report)
            self._end_part(trial_id, view)
        elif report and report.state is State.DIVERGED and self._may_copy(number):
            view = self._record(trial_id, report)
            lost = {**view.lineage.lost, self._part[1]: report.reason or "diverged"}
            self._end_part(trial_id, self._write(number, view, lost=lost))
        else:
            super().on_trial_complete(trial_id, result, error)
            del self._members[number]

    def stop_rest(self) -> None:
        self._running = {str(number): member for number, member in self._members.items()}
        self._members.clear()
        super().stop_rest()

    def _record(self, trial_id: str, report: Any) -> TrialView:
        view = super()._record(trial_id, report)
        self._views[view.number] = view
        return view

    def _end_part(self, trial_id: str, view: TrialView) -> None:
        trial, _ = self._running.pop(trial_id)
        self._members[view.number] = (trial, view)

    def _ask_all(self) -> None:
        """Ask for all members once, those of an earlier sweep first."""
        if self._all_asked:
            return
        self._all_asked = True
        while member := self._next_trial():
            _, view = member
            self._members[view.number], self._views[view.number] = member, view

    def _start_next_part(self) -> None:
        """Find the part that comes next, and decide at its first step which member copies which.

        An earlier sweep may have been interrupted in that decision; it is then completed.
        """
        for first, last in zip([0, *self._part_ends], self._part_ends, strict=False):
            if all(self._has_reached(view, last) for _, view in self._members.values()):
                continue
            self._part = (first, last)
            if first:
                self._perturb(first)
            self._waiting.extend(
                number for number, (_, view) in self._members.items() if not self._has_reached(view, last)
            )
            if self._waiting:
                return

    def _has_reached(self, view: TrialView, step: int) -> bool:
        return step in view.reports or step in view.lineage.lost

    def _may_copy(self, number: int) -> bool:
        return self._part[1] < self._part_ends[-1] and not self._views[number].baseline

    def _perturb(self, step: int) -> None:
        sign = 1 if self._space.mode == "max" else -1
        standings = [
            Standing(view.number, sign * view.reports[step] if step in view.reports else None, view.baseline)
            for view in self._views.values()
            if self._has_reached(view, step)
        ]
        rng = random.Random(f"{self._space.sampler.seed}/{step}")
        chosen = exploits(standings, self._options.quantile, rng)
        for number, (trial, view) in list(self._members.items()):
            if view.lineage.mutated_at(step):
                continue
            if number in chosen and (checkpoint := self._checkpoint(chosen[number], step)):
                self._copy(view, self._views[chosen[number]], checkpoint, step)
            elif step in view.lineage.lost:
                del self._members[number]
                reason = view.lineage.lost[step]
                self._finish(trial, replace(view, state=State.DIVERGED, reason=reason))

    def _copy(self, view: TrialView, donor: TrialView, checkpoint: Path, step: int) -> None:
        """Give the donor's checkpoint and a perturbed copy of its hyperparameters to a member."""
        # A hard link first: it stays when the donor deletes its own.
        link_tree(checkpoint, donated_dir(view) / checkpoint.name)
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
        self._notify("mutated", view)

    def _write(self, number: int, view: TrialView, **changed: Any) -> TrialView:
        """Record changes of a member's lineage."""
        trial, _ = self._members[number]
        lineage = view.lineage.model_copy(update=changed)
        trial.set_user_attr(LINEAGE, lineage.model_dump(mode="json"))
        view = replace(view, population=lineage)
        self._members[number], self._views[number] = (trial, view), view
        return view

    def _checkpoint(self, number: int, step: int) -> Path | None:
        """The trial's checkpoint of this perturbation step; None if its worker could not save it."""
        path = pointer_file(self._folder, number)
        pointer = read_json(path) if path.is_file() else {}
        return Path(pointer["checkpoint"]) if pointer.get("step") == step else None

    def _part_job(self, view: TrialView) -> Job:
        first, last = self._part
        checkpoint = next(donated_dir(view).iterdir()) if view.lineage.mutated_at(first) else None
        job = job_for(view)
        return job.model_copy(
            update={
                "last_report": job.last_report if self._is_of_this_part(view.number, job.last_report) else None,
                "start": first,
                "end": last,
                "checkpoint": checkpoint,
                "pointer": pointer_file(self._folder, view.number),
            }
        )

    def _is_of_this_part(self, number: int, report: Report | None) -> bool:
        """Whether a report belongs to this part. That of its last step counts only if its checkpoint was saved, too."""
        first, last = self._part
        if report is None or not first < report.step <= last:
            return False
        return report.step < last or last == self._part_ends[-1] or self._checkpoint(number, last) is not None


def donated_dir(view: TrialView) -> Path:
    """The folder with the checkpoint that a member copied from another one."""
    return view.dir / DONATED_DIR
