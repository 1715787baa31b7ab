"""A worker: what holds a device, keeps it warm, and advances whichever trials it is given.

Four calls, each about one slot; those for different slots may overlap. A worker has one slot until trials are packed.
"""

import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eval.scorecard import score_predictions
from eval.scorers import get_scorer
from eval.sets.evalset import Evalset, assert_disjoint, load_evalset
from eval.sets.predictions import write_predictions
from podium.core.clock import Deadline
from podium.core.config import RunConfig
from podium.core.errors import RunFailed, UsageError
from podium.core.files import write_json
from podium.core.paths import find_evalset, find_trainset, portable
from podium.core.records import Report, Sample
from podium.core.states import State
from tuning.search.space import SearchSpace
from tuning.study.data import data_hashes
from tuning.study.files import asked_to_end, trial_dir
from tuning.study.study import load_study_space

if TYPE_CHECKING:
    from trainer.run.training_run import TrainingRun


LOSS_ITEMS = 64  # of the dev split, for dev/loss: a small share of what predicting costs


class WorkerProtocol(Protocol):
    """What a sweep needs of a worker. `stats` says what its process has compiled."""

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int: ...
    def advance(self, slot: int, until_step: int) -> Report: ...
    def save(self, slot: int, path: Path) -> None: ...
    def detach(self, slot: int) -> None: ...
    def stats(self) -> dict[str, Any]: ...


class WorkerKind(Protocol):
    """Makes a worker from a study's folder; sent to other processes."""

    def __call__(self, study_folder: Path) -> WorkerProtocol: ...

    def check(self, space: SearchSpace) -> dict[str, str]:
        """What must hold before there is a study: raises UsageError. Returns the hashes that trials depend on."""
        ...


@dataclass
class _Slot:
    run: "TrainingRun"
    evalset: Evalset
    samples: tuple[Sample, ...]  # of its dev split
    compiled: tuple[int, int]  # what the library had compiled, and found in the cache, when the trial came


class Worker:
    """The real one: it trains with the trainer and scores on the dev split of the config's evalset."""

    def __init__(self, study_folder: Path) -> None:
        from trainer.device.devices import select, use_compile_cache
        from trainer.programs.library import ProgramLibrary

        self._folder = study_folder
        self._device = select(load_study_space(study_folder).base_config.device)
        use_compile_cache()
        self._library = ProgramLibrary()
        self._slots: dict[int, _Slot] = {}
        self._evalsets: dict[tuple[Path, int, int], Evalset] = {}  # by path, modification time and size

    @staticmethod
    def check(space: SearchSpace) -> dict[str, str]:
        """Data is there, no prompt is in both sets, and the scorer can judge the items. Raises UsageError."""
        if space.base_config.device.distributed:
            raise UsageError("device.distributed=true: a trial is one process; leave it out, Ray finds the other hosts")
        evalset = load_evalset(space.base_config.eval.evalset)
        scorer = get_scorer(evalset.chosen_scorer(space.base_config.eval.scorer))
        for sample in evalset.split("dev"):
            scorer.check(sample)
        searched = space.parameters.get("data.trainset")
        trainsets = searched.ends() if searched else [space.base_config.data.trainset]
        hashes: dict[str, str] = {}
        for name in trainsets:
            assert_disjoint(evalset, find_trainset(name))
            hashes |= data_hashes(space.base_config.with_overrides({"data.trainset": name}))
        return hashes

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        """Make the trial ready where `checkpoint`, or a newer one in its folder, left it. Returns its slot."""
        from trainer.run.training_run import TrainingRun

        evalset = self._evalset(config.eval.evalset)
        run = TrainingRun(config, trial_dir(self._folder, trial_id), self._library)
        newest = run.newest()
        is_ahead = checkpoint and newest and int(newest.name) > int(checkpoint.name)  # it had gone on from there
        run.restore(None if is_ahead else checkpoint)
        self._slots[trial_id] = _Slot(run, evalset, evalset.split("dev", config.eval.max_items), self._compiled())
        return trial_id

    def advance(self, slot: int, until_step: int) -> Report:
        """Train to `until_step`, then predict and score the dev split. A trial that did not get there has no score."""
        from trainer.loop import advance_with_checkpoints

        held, stop = self._slots[slot], partial(asked_to_end, self._folder, slot)
        # A checkpoint becomes whole while the model predicts, or before the slot is given back.
        *_, report = advance_with_checkpoints(held.run, until_step, Deadline.after(None), stop)
        report = _with_score(held, report)
        programs, hits = (now - then for now, then in zip(self._compiled(), held.compiled, strict=True))
        compiled = {"compile/programs": float(programs), "compile/cache_hits": float(hits)}
        return report.model_copy(update={"metrics": {**report.metrics, **compiled}})

    def save(self, slot: int, path: Path) -> None:
        """Save the trial and write to `path` where its checkpoint is."""
        run = self._slots[slot].run
        write_json(path, {"checkpoint": str(run.save()), "step": run.step})

    def detach(self, slot: int) -> None:
        if held := self._slots.pop(slot, None):
            held.run.close()

    def stats(self) -> dict[str, Any]:
        """The device, every compile as (program key, function, shapes, how often), and the seconds they took."""
        compiles = [[*key, count] for key, count in sorted(self._library.compiles.items())]
        return {"device": str(self._device), "compiles": compiles, "compile_s": self._library.compile_s}

    def _evalset(self, name_or_path: str) -> Evalset:
        """The evalset, read once for all trials of this worker, and again when its file has changed."""
        path = find_evalset(name_or_path)
        stat = path.stat()
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self._evalsets:
            self._evalsets[key] = load_evalset(path)
        return self._evalsets[key]

    def _compiled(self) -> tuple[int, int]:
        """How many programs this process has compiled so far, and how many of them JAX's cache on disk had."""
        return sum(self._library.compiles.values()), self._library.cache_hits


def _with_score(held: _Slot, report: Report) -> Report:
    if report.state not in (State.RUNNING, State.COMPLETE):
        return report
    try:
        return report.model_copy(update={"metrics": {**report.metrics, **_score(held)}})
    except RunFailed as failure:  # out of memory in prediction; what was trained is saved
        return report.model_copy(update={"state": failure.state, "reason": str(failure)})


def _score(held: _Slot) -> dict[str, float]:
    """Predict and score the dev split; the files of the newest report stay in the trial's folder."""
    run, config = held.run, held.run.config
    predictions = run.predict(held.samples, Deadline.after(None))
    about = held.evalset.scored_set("dev", config.eval.max_items)
    scorer = held.evalset.chosen_scorer(config.eval.scorer)
    card = score_predictions(held.samples, predictions, scorer, evalset=about)
    write_predictions(
        run.out / "predictions.jsonl",
        predictions,
        {
            "evalset": {"name": held.evalset.name, "sha256": held.evalset.sha256},
            "split": "dev",
            **({"max_items": config.eval.max_items} if config.eval.max_items else {}),
            "n_prompts_cut": run.n_prompts_cut,
            "run": portable(run.out),
            "step": run.step,
            "config_sha256": config.hash,
        },
    )
    write_json(run.out / "scorecard.json", card.model_dump(mode="json"))
    scores = {"dev/answer_correctness": card.answer_correctness, "dev/primary_score": card.primary_score}
    loss = run.loss_on(held.samples[:LOSS_ITEMS])
    return scores if loss is None or not math.isfinite(loss) else {**scores, "dev/loss": loss}
