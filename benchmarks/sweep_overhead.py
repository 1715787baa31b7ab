"""Measures the overhead of a sweep: real trials run three ways, and trials that do nothing.

First, trials with about two seconds of training each, timed from the first step to the last report:

(a) glue: a Ray function trainable that builds and compiles in each trial, with Ray's OptunaSearch and MLflow callback
(b) loop: a single-process Optuna loop over our trainer, which compiles once, with MLflow
(c) podium: `tuning.sweep` on Ray

All three train the same steps, score the same items twice per trial, and stop no trial early. They run one after the
other, each in its own process. The time of the first step is that of the first trial's provenance.json, which the
trainer writes after compiling.

Then sweeps of 100 and of 2,000 trials that do nothing, on two workers, with two reports of 20 metrics per trial.
Measured are the seconds per trial (goal: under 0.05, and at most 1.5 times as many with 2,000 trials), the growth of
the driver's memory, and the milliseconds that a report to MLflow costs the sweep (goal: under 5; Ray's callback took
201). The sampler "random" shows the engine alone; "tpe" adds Optuna's model of all earlier trials.

    python -m benchmarks.sweep_overhead [--json] [--quick] [--trials 20] [--rounds 1] [--noop-trials 2000]
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import noop
from benchmarks.home import temporary_home, write_space
from benchmarks.report import Report, arguments

TRIAL_S = 2.0
SCORE = "dev/answer_correctness"
BASE: dict[str, Any] = {
    "data": {"trainset": "tiny-reasoning", "max_seq_len": 50},
    "train": {"max_steps": 100, "batch_size": 16, "remat": "none", "save_every_steps": 1000},
    "generate": {"batch_size": 32, "max_prompt_tokens": 24, "max_new_tokens": 16},
    "eval": {"evalset": "tiny_v1", "max_items": 32},
}
SAMPLERS = ("random", "tpe")
RATE = {"type": "float", "low": 1e-4, "high": 1e-2, "log": True}


def main() -> None:
    options = arguments(__doc__, trials=20, rounds=1, noop_trials=2000, quick=False, only="")
    if options.only:
        print(json.dumps(WAYS[options.only](options.trials)))
        return
    if options.quick:
        options.trials, options.noop_trials = 4, 200
    with temporary_home() as home:
        write_space(home, BASE, {})
        steps = _run("steps", 0)["steps"]
        write_space(home, {**BASE, "train": {**BASE["train"], "max_steps": steps}}, {})
        runs = {
            name: [_run(name, options.trials) for _ in range(options.rounds)] for name in ("glue", "loop", "podium")
        }
        few = max(10, options.noop_trials // 20)
        idle = {(sampler, n): _run(f"noop-{sampler}", n) for sampler in SAMPLERS for n in (few, options.noop_trials)}
    report = Report("sweep_overhead")
    _report(report, options, steps, runs)
    _report_idle(report, idle, few, options.noop_trials)
    report.print(options.json)


def _report(report: Report, options: Any, steps: int, runs: dict[str, list[dict[str, float]]]) -> None:
    best = {name: min(measured, key=lambda one: one["span_s"]) for name, measured in runs.items()}
    report.figure("trials", options.trials)
    report.figure("steps per trial", steps)
    for name, letter in (("glue", "a"), ("loop", "b"), ("podium", "c")):
        report.figure(f"({letter}) {name}: first step to last report", best[name]["span_s"], "s")
        report.figure(f"({letter}) {name}: start-up before the first step", best[name]["start_s"], "s")
    report.figure("(c) podium: share of the time in which workers were busy", best["podium"]["busy_share"])
    report.goal("(a) over (c)", best["glue"]["span_s"] / best["podium"]["span_s"], ">= 4", "times")
    report.goal("(b) over (c)", best["loop"]["span_s"] / best["podium"]["span_s"], ">= 1.15", "times")


def _report_idle(report: Report, idle: dict[tuple[str, int], dict[str, float]], few: int, many: int) -> None:
    for sampler in SAMPLERS:
        for trials in (few, many):
            run = idle[sampler, trials]
            report.figure(f"no-op, {sampler}, {trials} trials: complete", run["complete"])
            report.figure(f"no-op, {sampler}, {trials} trials: from the last trial to the end", run["after_s"], "s")
            report.figure(f"no-op, {sampler}, {trials} trials: missing in MLflow at the end", run["unwritten"])
            report.goal(f"no-op, {sampler}, {trials} trials: per trial", run["trial_s"], "< 0.05", "s")
            report.goal(f"no-op, {sampler}, {trials} trials: MLflow, per report", run["tracker_ms"], "< 5", "ms")
        growth = idle[sampler, many]["trial_s"] / idle[sampler, few]["trial_s"]
        report.goal(f"no-op, {sampler}: {many} trials over {few}, per trial", growth, "< 1.5", "times")
        memory = idle[sampler, many]["memory_mb_per_1000"]
        report.figure(f"no-op, {sampler}: growth of the driver's memory per 1,000 trials", memory, "MB")


def _run(name: str, trials: int) -> dict[str, Any]:
    """Run one of WAYS in a new process; returns what it measured, with `span_s` and `start_s` if it trained trials."""
    begun = time.time()
    command = [sys.executable, "-m", "benchmarks.sweep_overhead", "--only", name, "--trials", str(trials)]
    # Run in the home: MLflow's client writes the artifacts of (a) and (b) to the current folder.
    paths = {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=_home(), env={**os.environ, **paths}
    )
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-3000:]}")
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "first" in measured:
        measured |= {"span_s": measured["last"] - measured["first"], "start_s": measured["first"] - begun}
    return measured


def _config(**overrides: Any) -> Any:
    from podium.core.config import load_config

    return load_config(_home() / "base.yaml", overrides)


def _home() -> Path:
    return Path(os.environ["PODIUM_HOME"])


def _trial(config: Any, out: Path, library: Any, report: Callable[[int, float, float], None]) -> None:
    """Run one trial, the same for all three ways: train, score, train, score."""
    from eval.scorecard import score_predictions
    from eval.sets.evalset import load_evalset
    from podium.core.clock import Deadline
    from trainer.run.training_run import TrainingRun

    samples = load_evalset(config.eval.evalset).split("dev", config.eval.max_items)
    run = TrainingRun(config, out, library)
    for step in (config.train.max_steps // 2, config.train.max_steps):
        trained = run.advance(step, Deadline.after(None))
        card = score_predictions(samples, run.predict(samples, Deadline.after(None)))
        report(step, trained.metrics["train/loss"], card.answer_correctness)
    run.save()
    run.close()


def _calibrate(_: int) -> dict[str, Any]:
    """The number of steps that take TRIAL_S seconds in one process, without compilation."""
    from podium.core.clock import Deadline
    from trainer.programs.library import ProgramLibrary
    from trainer.run.training_run import TrainingRun

    run = TrainingRun(_config(), _home() / "calibration", ProgramLibrary())
    run.advance(20, Deadline.after(None))
    started_s = time.perf_counter()
    run.advance(60, Deadline.after(None))
    return {"steps": max(20, round(TRIAL_S / (time.perf_counter() - started_s) * 40))}


def _first_step(root: Path) -> float:
    return min(path.stat().st_mtime for path in root.rglob("provenance.json"))


def _glue(trials: int) -> dict[str, Any]:
    os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "RAY_CHDIR_TO_TRIAL_DIR": "0"}
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.search.optuna import OptunaSearch

    root, reported = _home() / "glue", []

    def trainable(sampled: dict[str, float]) -> None:
        from trainer.programs.library import ProgramLibrary

        def report(step: int, loss: float, score: float) -> None:
            tune.report({"step": step, "train/loss": loss, "score": score})

        _trial(_config(**sampled), root / tune.get_context().get_trial_id(), ProgramLibrary(), report)

    class Clock(tune.Callback):
        def on_trial_result(self, *_: Any, **__: Any) -> None:
            reported.append(time.time())

    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    store = f"sqlite:///{_home() / 'glue.db'}"
    tune.Tuner(
        tune.with_resources(trainable, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(
                {"train.learning_rate": tune.loguniform(RATE["low"], RATE["high"])}, metric="score", mode="max"
            ),
            num_samples=trials,
        ),
        run_config=tune.RunConfig(
            storage_path=str(_home() / "ray"),
            verbose=0,
            callbacks=[Clock(), MLflowLoggerCallback(tracking_uri=store, experiment_name="glue", save_artifact=True)],
        ),
    ).fit()
    return {"first": _first_step(root), "last": max(reported)}


def _loop(trials: int) -> dict[str, Any]:
    import mlflow
    import optuna

    from trainer.programs.library import ProgramLibrary

    root, library = _home() / f"loop-{os.getpid()}", ProgramLibrary()
    mlflow.set_tracking_uri(f"sqlite:///{_home() / 'loop.db'}")
    mlflow.set_experiment("loop")
    last = 0.0

    def objective(trial: Any) -> float:
        scores = []

        def report(step: int, loss: float, score: float) -> None:
            nonlocal last
            scores.append(score)
            mlflow.log_metrics({"train/loss": loss, SCORE: score}, step=step)
            last = time.time()

        sampled = {"train.learning_rate": trial.suggest_float("lr", RATE["low"], RATE["high"], log=True)}
        with mlflow.start_run():
            mlflow.log_params(sampled)
            out = root / str(trial.number)
            _trial(_config(**sampled), out, library, report)
            mlflow.log_artifact(str(out / "config.yaml"))
        return scores[-1]

    storage = f"sqlite:///{_home() / 'loop-optuna.db'}"
    optuna.create_study(direction="maximize", storage=storage).optimize(objective, n_trials=trials)
    return {"first": _first_step(root), "last": last}


def _podium(trials: int) -> dict[str, Any]:
    from tuning import sweep
    from tuning.search.load import load_space
    from tuning.study.events import Event

    base = _config().model_dump(mode="json")
    settings = {"name": "podium", "scheduler": "none", "baseline": False, "trials": trials}
    every = base["train"]["max_steps"] // 2
    space = write_space(
        _home(), base, {**settings, "report_every_steps": every, "parameters": {"train.learning_rate": RATE}}
    )
    reported = []

    def listen(event: Event) -> None:
        if event.report:
            reported.append(time.time())

    study = sweep(load_space(space), backend="ray", listeners=[listen])
    return {"first": _first_step(study.dir), "last": max(reported), "busy_share": study.summary["busy_share"]}


WAYS: dict[str, Callable[[int], dict[str, Any]]] = {
    "steps": _calibrate,
    "glue": _glue,
    "loop": _loop,
    "podium": _podium,
    **{f"noop-{sampler}": lambda trials, sampler=sampler: noop.run(_home(), trials, sampler) for sampler in SAMPLERS},
}

if __name__ == "__main__":
    main()
