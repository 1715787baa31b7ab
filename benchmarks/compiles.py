"""Counts compilations in a sweep: each worker compiles each program that it uses exactly once.

Twenty trials run on two workers. All hyperparameters but one are inputs of the compiled program; the batch size is part
of the program key. The counts are those of each worker's program library.
"""

from typing import Any

from benchmarks.home import temporary_home, write_space
from benchmarks.report import Report, arguments

BASE = {
    "data": {"trainset": "tiny-reasoning", "max_seq_len": 50},
    "train": {"max_steps": 12, "batch_size": 4, "remat": "none"},
    "generate": {"batch_size": 16, "max_prompt_tokens": 24, "max_new_tokens": 8},
    "eval": {"evalset": "tiny_v1", "max_items": 16},
}
PARAMETERS = {
    "train.learning_rate": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True},
    "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1},
    "train.warmup_steps": {"type": "int", "low": 0, "high": 6},
    "train.schedule": {"type": "categorical", "choices": ["constant", "cosine"]},
    "train.max_steps": {"type": "int", "low": 6, "high": 12},
    "train.seed": {"type": "int", "low": 0, "high": 100},
    "train.batch_size": {"type": "categorical", "choices": [4, 8]},
}
FUNCTIONS = {"train", "admit", "decode"}


def main() -> None:
    options = arguments(__doc__, trials=20, workers=2)
    workers = _sweep(options.trials, options.workers)
    compiles = [(index, *compiled) for index, worker in enumerate(workers) for compiled in worker["compiles"]]
    functions: dict[tuple[int, str], set[str]] = {}
    for index, key, function, *_ in compiles:
        functions.setdefault((index, key), set()).add(function)
    uncovered = [pair for pair, compiled in functions.items() if FUNCTIONS - compiled]

    report = Report("compiles")
    report.figure("trials", options.trials)
    report.figure("workers", len(workers))
    report.figure("program keys", len({key for _, key in functions}))
    report.figure("(worker, program key) pairs in use", len(functions))
    report.figure("programs compiled", len(compiles))
    report.figure("compile time, all workers", sum(worker["compile_s"] for worker in workers), "s")
    report.goal(
        "most compilations of one (worker, program key, function, shapes)",
        max((times for *_, times in compiles), default=None),
        "== 1",
    )
    report.goal("pairs without a compilation of train, admit and decode", len(uncovered), "== 0")
    report.print(options.json)


def _sweep(trials: int, workers: int) -> list[dict[str, Any]]:
    """Run the sweep and return the statistics of each worker."""
    from tuning import sweep

    with temporary_home() as home:
        settings = {"name": "compiles", "sampler": "random", "scheduler": "none", "report_every_steps": 6}
        space = write_space(home, BASE, {**settings, "trials": trials, "workers": workers, "parameters": PARAMETERS})
        study = sweep(space, backend="ray")
        return list(study.summary["workers"])


if __name__ == "__main__":
    main()
