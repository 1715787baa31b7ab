"""A worker: it holds a device, keeps compiled programs and base weights, and advances the trials that it is given.

It has four calls, each for one slot. Calls for different slots may overlap. A slot holds one trial.
"""

import contextlib
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from eval.scorecard import score_predictions
from eval.scorers import get_scorer
from eval.sets.evalset import Evalset, Split, assert_disjoint, load_evalset
from eval.sets.predictions import write_predictions
from podium.core.clock import Deadline
from podium.core.config import RunConfig, load_config
from podium.core.errors import RunFailed, UsageError
from podium.core.files import write_json
from podium.core.paths import find_evalset, find_trainset, portable
from podium.core.records import Report, Sample
from podium.core.resolved import NOT_OURS, with_sizes_of
from podium.core.run_files import CONFIG, PREDICTIONS, SCORECARD
from podium.core.states import State
from tuning.search.objectives import ANSWERS_S, ITEM_S, is_own
from tuning.search.space import SearchSpace
from tuning.study import cuts
from tuning.study.data import data_hashes
from tuning.study.files import UNTRAINED_FILE, asked_to_end, trial_dir
from tuning.study.study import load_study_space

if TYPE_CHECKING:
    from trainer.run.training_run import TrainingRun


LOSS_ITEMS = 64  # of the dev split, for dev/loss; cheap beside the predictions


class WorkerProtocol(Protocol):
    """What a sweep calls. `attach` returns the slot for the other calls; `stats` says what the process has compiled."""

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int: ...
    def advance(self, slot: int, until_step: int) -> Report: ...
    def save(self, slot: int, path: Path) -> None: ...
    def detach(self, slot: int) -> None: ...
    def stats(self) -> dict[str, Any]: ...


class WorkerKind(Protocol):
    """Makes a worker for a study's folder. It is pickled and sent to other processes."""

    def __call__(self, study_folder: Path) -> WorkerProtocol: ...

    def check(self, space: SearchSpace) -> dict[str, str]:
        """Raises UsageError if trials cannot run; called before the study is created. Returns hashes of their data."""
        ...


@dataclass
class _Slot:
    run: "TrainingRun"
    evalset: Evalset
    split: Split
    samples: tuple[Sample, ...]  # of the split
    compile_counts: tuple[int, int]  # `Worker._compile_counts` when the trial was attached
    is_base: bool  # its config is the base config of the study


class Worker:
    """Trains with the trainer and scores on the dev split of the config's evalset."""

    split: Split = "dev"

    def __init__(self, study_folder: Path) -> None:
        from trainer.device.devices import select, use_compile_cache
        from trainer.programs.library import ProgramLibrary

        self._folder = study_folder
        self._base_config = load_study_space(study_folder).base_config
        self._device = select(self._base_config.device)
        use_compile_cache()
        self._library = ProgramLibrary()
        self._slots: dict[int, _Slot] = {}
        self._evalsets: dict[tuple[Path, int, int], Evalset] = {}  # by path, modification time and size

    @staticmethod
    def check(space: SearchSpace) -> dict[str, str]:
        """Raises UsageError if data is missing, a prompt is in both sets, or the scorer cannot judge an item."""
        _refuse_own(space)
        if space.base_config.device.distributed:
            raise UsageError(
                "device.distributed=true, must be false in a sweep, where a trial is one process; "
                "leave it out, Ray uses the other hosts"
            )
        evalset = load_evalset(space.base_config.eval.evalset)
        scorer = get_scorer(evalset.chosen_scorer(space.base_config.eval.scorer))
        for sample in evalset.split("dev"):
            scorer.check(sample)
        searched = space.parameters.get("data.trainset")
        trainsets = searched.ends() if searched else [space.base_config.data.trainset]
        for name in trainsets:
            assert_disjoint(evalset, find_trainset(name))
        return data_hashes(evalset, trainsets)

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        """Restore the trial from `checkpoint`, or from a newer one in its folder. Returns its slot.

        If that is damaged, one before it is used; if all are, the trial begins again, which gives the same weights.
        """
        from trainer.run.checkpoint import DamagedCheckpoint
        from trainer.run.training_run import TrainingRun

        evalset, folder = self._evalset(config.eval.evalset), trial_dir(self._folder, trial_id)
        is_base = config == self._base_config
        if (folder / CONFIG).is_file():
            config = with_sizes_of(config, load_config(folder / CONFIG))
        run = TrainingRun(self._library.resolve(config, lambda: evalset.samples), folder, self._library)
        try:
            run.restore(checkpoint, or_newer=True)
        except DamagedCheckpoint as error:
            run.damage = f"{error}; begun again at step 0"
        samples = evalset.split(self.split, config.eval.max_items)
        self._slots[trial_id] = _Slot(run, evalset, self.split, samples, self._compile_counts(), is_base)
        return trial_id

    def advance(self, slot: int, until_step: int) -> Report:
        """Train to `until_step`, then predict and score the dev split. A trial that ended before has no score.

        The model of the base config is scored before its first step, too.
        """
        from trainer.loop import advance_with_checkpoints

        trial, stop = self._slots[slot], partial(asked_to_end, self._folder, slot)
        if trial.is_base and trial.run.step == 0:
            _score_untrained(trial)
        # A checkpoint becomes whole while the model predicts, or before the slot is given back.
        *_, report = advance_with_checkpoints(trial.run, until_step, Deadline.after(None), stop)
        report = self._with_score(trial, report)
        reason = report.reason or trial.run.damage
        programs, hits = (now - then for now, then in zip(self._compile_counts(), trial.compile_counts, strict=True))
        compiled = {"compile/programs": float(programs), "compile/cache_hits": float(hits)}
        return report.model_copy(update={"metrics": {**report.metrics, **compiled}, "reason": reason})

    def save(self, slot: int, path: Path) -> None:
        """Save the trial, and write the folder and step of its checkpoint to `path` as JSON."""
        run = self._slots[slot].run
        write_json(path, {"checkpoint": str(run.save()), "step": run.step})

    def detach(self, slot: int) -> None:
        if trial := self._slots.pop(slot, None):
            trial.run.close()

    def stats(self) -> dict[str, Any]:
        """The device, each compilation as [program key, function, shapes, count], and the seconds of all of them."""
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

    def _with_score(self, trial: _Slot, report: Report) -> Report:
        """The report with the score, and with how much was cut, unless the trial failed or was stopped."""
        if report.state not in (State.RUNNING, State.COMPLETE):
            return report
        try:
            scores = _score(trial)
        except RunFailed as failure:  # out of memory in prediction; the training is saved
            return report.model_copy(update={"state": failure.state, "reason": str(failure)})
        trainset = self._library.trainset(trial.run.config)
        examples = {cuts.N_TRUNCATED: float(trainset.n_truncated), cuts.N_DROPPED: float(trainset.n_dropped)}
        return report.model_copy(update={"metrics": {**report.metrics, **scores, **examples}})

    def _compile_counts(self) -> tuple[int, int]:
        """How many programs this process has compiled so far, and how many of them came from JAX's cache on disk."""
        return sum(self._library.compiles.values()), self._library.cache_hits


class HoldoutWorker(Worker):
    """Scores on the holdout instead, for the confirmation runs of a promotion."""

    split: Split = "holdout"


def _score_untrained(trial: _Slot) -> None:
    """Write the scores of the model before the first step, unless an earlier attempt has."""
    path = trial.run.out / UNTRAINED_FILE
    with contextlib.suppress(RunFailed):  # a failed run stays failed: its next report says why
        if not path.exists():
            scored, dropped = _score(trial), (*cuts.COUNTS, ITEM_S, ANSWERS_S)
            write_json(path, {name: value for name, value in scored.items() if name not in dropped})


def _score(trial: _Slot) -> dict[str, float]:
    """Predict and score the split, and count what was cut. The trial's folder keeps the newest report's files."""
    run, config = trial.run, trial.run.config
    deadline, compiled_s = Deadline.after(None), run.library.compile_s
    predictions = run.predict(trial.samples, deadline)
    item_s = max(0.0, deadline.elapsed_s() - (run.library.compile_s - compiled_s)) / len(trial.samples)
    # A submission answers dev, too, for comparison (podium/submission/evidence.py).
    splits = (trial.evalset.split(name, config.eval.max_items) for name in (config.eval.submission_split, "dev"))
    n_submitted = len({sample.id for samples in splits for sample in samples})
    about = trial.evalset.scored_set(trial.split, config.eval.max_items)
    scorer = trial.evalset.chosen_scorer(config.eval.scorer)
    card = score_predictions(trial.samples, predictions, scorer, evalset=about)
    write_predictions(
        run.out / PREDICTIONS,
        predictions,
        {
            "evalset": {"name": trial.evalset.name, "sha256": trial.evalset.sha256},
            "split": trial.split,
            **({"max_items": config.eval.max_items} if config.eval.max_items else {}),
            "n_prompts_cut": run.n_prompts_cut,
            "run": portable(run.out),
            "step": run.step,
            "config_sha256": config.hash,
        },
    )
    write_json(run.out / SCORECARD, card.model_dump(mode="json"))
    scores = {
        f"{trial.split}/answer_correctness": card.answer_correctness,
        f"{trial.split}/primary_score": card.primary_score,
        cuts.N_ANSWERS: float(len(predictions)),
        cuts.N_BY_LENGTH: float(card.finish_reasons.get("length", 0)),
        cuts.N_PROMPTS_CUT: float(run.n_prompts_cut),
        ITEM_S: item_s,
        ANSWERS_S: item_s * n_submitted,
    }
    loss = run.loss_on(trial.samples[:LOSS_ITEMS])
    return scores if loss is None or not math.isfinite(loss) else {**scores, f"{trial.split}/loss": loss}


def _refuse_own(space: SearchSpace) -> None:
    """Raises UsageError for what only a training function of the user's own reads or reports."""
    for name in space.base_config.own:
        raise UsageError(NOT_OURS.format(name))
    for metric, _ in space.aims:
        if is_own(metric):
            raise UsageError(f"metric {metric} is reported by a training function of your own; pass it as train=")
