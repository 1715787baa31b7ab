"""How well the time of a run is planned: training and answers as `podium plan --measure` projects them, against the
whole run, for ten short runs of the tiny model with different sizes. Run it on an idle machine.
"""

import statistics
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmarks.home import temporary_home
from benchmarks.report import Report, arguments
from podium.core.clock import Deadline, MonotonicClock
from podium.core.config import RunConfig, load_config
from podium.core.records import Prompt
from podium.core.states import State
from podium.submission.evidence import to_predict
from trainer.loop import train
from trainer.programs.library import ProgramLibrary
from trainer.run.training_run import TrainingRun
from trainer.timing import measure

BASE = Path("search_spaces/base/sft_tiny.yaml").resolve()
ROWS, STEPS, MEASURED = (4, 8, 16, 32, 64), (60, 120), 20


def main() -> None:
    options = arguments(__doc__)
    report, errors = Report("plan_time"), []
    with temporary_home():
        for rows, steps in product(ROWS, STEPS):
            config = load_config(BASE, {"train.batch_size": rows, "train.max_steps": steps, "train.log_every_steps": 1})
            planned_s, real_s = _planned_and_real(config)
            errors.append(abs(planned_s / real_s - 1))
            report.figure(f"{rows} rows, {steps} steps: planned", planned_s, "s")
            report.figure(f"{rows} rows, {steps} steps: real", real_s, "s")
    report.goal("median error of the plan", statistics.median(errors), "< 0.1")
    report.print(options.json)


def _planned_and_real(config: RunConfig) -> tuple[float, float]:
    """Seconds of training and answering, without set-up and compilation, which the whole run has only once."""
    library, prompts = ProgramLibrary(), to_predict(config)
    found = measure(config, prompts, MEASURED, library=library)
    item_s = statistics.fmean(found.items_s)
    return found.training_s + item_s * len(prompts), _real(config, library, prompts)


def _real(config: RunConfig, library: ProgramLibrary, prompts: Sequence[Prompt]) -> float:
    whole, clock = library.resolve(config, lambda: prompts), MonotonicClock()
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        started_s, compiled_s = clock.now(), library.compile_s
        result = train(whole, Path(folder), library=library)
        assert result.state is State.COMPLETE, result.reason
        run = TrainingRun(whole, Path(folder), library, clock)
        try:
            run.restore(for_training=False)
            run.predict(prompts, Deadline.after(None))
        finally:
            run.close()
        return clock.now() - started_s - (library.compile_s - compiled_s)


if __name__ == "__main__":
    main()
