"""Measures the wall seconds until a study reaches a target score, from the start of the process.

random  a loop in one process with Optuna's random sampler, our trainer and no early stopping: a simple first script
tpe     the same with Optuna's TPE sampler
podium  `tuning.sweep` of search_spaces/tiny.yaml without changes, as `podium sweep` runs it

All arms search the same space on the tiny model, with the same steps and dev split. Each process compiles once and
reads the same warm compilation cache; MLflow's store exists before the first run. A run ends with the first trial that
was trained to the end and scored at least `--target`. After `--cap` seconds a run is given up and counted as `--cap`,
so a median equal to the cap is a lower bound. Early stopping gains nothing if a few trials are enough, and more the
fewer configurations reach the score; so the report shows the number of trials of each arm. The arms take turns, each in
its own process, with the sampler seeds `--first` to `--first` + `--seeds` - 1. Goal: the median of tpe is at least 2.5
times that of podium.

    python -m benchmarks.time_to_score [--json] [--quick] [--seeds 10] [--first 0] [--target 76] [--cap 300]
        [--arms tpe,podium]
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.home import temporary_home
from benchmarks.report import Report, arguments

SPACE = "search_spaces/tiny.yaml"
TRIALS = 200  # more than any run reaches
ARMS = ("random", "tpe", "podium")
QUICK = {"train.max_steps": 20, "train.warmup_steps": 0, "eval.max_items": 8}


def main() -> None:
    options = arguments(
        __doc__, seeds=10, first=0, target=76.0, cap=300.0, arms=",".join(ARMS), quick=False, only="", seed=0
    )
    if options.only:
        print(json.dumps(measure(options)))
        return
    if options.quick:
        options.seeds, options.target = 1, 0.0
    arms = options.arms.split(",")
    seeds = range(options.first, options.first + options.seeds)
    with temporary_home():
        _warm_up(options)
        runs = [(arm, _run(arm, seed, options)) for seed in seeds for arm in arms]
    by_arm = {arm: [run for name, run in runs if name == arm] for arm in arms}
    medians = {arm: statistics.median(run["reached_s"] for run in found) for arm, found in by_arm.items()}
    report = Report("time_to_score")
    report.figure("target score", options.target)
    for arm, found in by_arm.items():
        seconds = "  ".join(f"{run['reached_s']:.0f}" for run in found)
        report.figure(f"{arm}: per seed", seconds, "s")
        report.figure(f"{arm}: trials per seed", "  ".join(str(run["trials"] or "-") for run in found))
        report.figure(f"{arm}: runs given up", sum(run["trials"] is None for run in found))
        report.figure(f"{arm}: median", medians[arm], "s")
        report.figure(f"{arm}: median before the first step", statistics.median(run["start_s"] for run in found), "s")
    if {"random", "podium"} <= medians.keys():
        report.figure("random over podium", medians["random"] / medians["podium"], "times")
    if {"tpe", "podium"} <= medians.keys():
        report.goal("tpe over podium", medians["tpe"] / medians["podium"], ">= 2.5", "times")
    report.print(options.json)


def _run(arm: str, seed: int, options: Any) -> dict[str, Any]:
    """Run one search in a new process; `reached_s` and `start_s` are seconds from the start of that process."""
    begun = time.time()
    command = [sys.executable, "-m", "benchmarks.time_to_score", "--only", arm, "--seed", str(seed)]
    command += ["--target", str(options.target), "--cap", str(options.cap), *(["--quick"] if options.quick else [])]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{arm} failed:\n{done.stderr[-3000:]}")
    ended: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    reached = ended["reached"] - begun if ended["trials"] is not None else options.cap
    print(f"  seed {seed}  {arm:7} {reached:6.1f} s  {ended['trials'] or 'no'} trials", file=sys.stderr)
    return {**ended, "reached_s": min(reached, options.cap), "start_s": ended["first"] - begun}


def _warm_up(options: Any) -> None:
    """Run one uncounted trial per kind of loop, so that no arm pays for what is made once per machine."""
    for arm in ("tpe", "podium"):
        _run(arm, 0, type(options)(**{**vars(options), "target": 0.0}))


def measure(options: Any) -> dict[str, Any]:
    """Search in this process: the times of the first step and of the target score, and the number of trials.

    The number is None if the target was not reached.
    """
    found = _podium(options) if options.only == "podium" else _loop(options)
    home = Path(os.environ["PODIUM_HOME"])
    begun = [path.stat().st_mtime for path in home.rglob("provenance.json")]
    return {"first": min(at for at in begun if at > STARTED), **found}


def _space(options: Any) -> Any:
    from tuning.search.load import load_space

    space = load_space(SPACE)
    sampler = space.sampler.model_copy(update={"seed": options.seed})
    changes: dict[str, Any] = {"sampler": sampler, "trials": TRIALS}
    if options.quick:
        quick = {key: value for key, value in QUICK.items() if key not in space.parameters}
        parameters = {key: value for key, value in space.parameters.items() if key not in QUICK}
        scheduler = space.scheduler.model_copy(update={"grace_period": 10})
        base = space.base_config.with_overrides({**quick, "train.warmup_steps": 0})
        changes |= {"base_config": base, "parameters": parameters, "report_every_steps": 10, "scheduler": scheduler}
    return space.model_copy(update=changes)


def _loop(options: Any) -> dict[str, Any]:
    """A simple search loop: ask, train, score, tell."""
    import optuna

    from eval.scorecard import score_predictions
    from eval.sets.evalset import load_evalset
    from podium.core.clock import Deadline
    from trainer.device.devices import use_compile_cache
    from trainer.programs.library import ProgramLibrary
    from trainer.run.training_run import TrainingRun

    use_compile_cache()
    samplers = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
    study = optuna.create_study(direction="maximize", sampler=samplers[options.only](seed=options.seed))
    space, library = _space(options), ProgramLibrary()
    out = Path(os.environ["PODIUM_HOME"]) / f"loop-{os.getpid()}"
    samples = load_evalset(space.base_config.eval.evalset).split("dev", space.base_config.eval.max_items)
    while time.time() - STARTED < options.cap:
        trial = study.ask()
        config = space.config(space.suggest(trial))
        run = TrainingRun(config, out / str(trial.number), library)
        run.advance(config.train.max_steps, Deadline.after(None))
        score = score_predictions(samples, run.predict(samples, Deadline.after(None))).answer_correctness
        run.close()
        study.tell(trial, score)
        if score >= options.target:
            return {"reached": time.time(), "trials": trial.number + 1}
    return {"reached": time.time(), "trials": None}


def _podium(options: Any) -> dict[str, Any]:
    from podium.core.states import State
    from tuning import sweep
    from tuning.study.events import Event

    reached: list[float] = []
    ended: list[int] = []  # number of finished trials when the target was reached
    fates: list[State] = []

    def listen(event: Event) -> None:
        if event.kind == "finished":
            fates.append(event.trial.state)
            if event.trial.value is not None and event.trial.value >= options.target:
                reached.append(time.time())
                ended.append(len(fates))

    def done() -> bool:
        return bool(reached) or time.time() - STARTED > options.cap

    sweep(_space(options), listeners=[listen], stop=done)
    return {"reached": reached[0], "trials": ended[0]} if reached else {"reached": time.time(), "trials": None}


if __name__ == "__main__":
    STARTED = time.time()
    main()
