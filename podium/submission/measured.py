"""How long scoring and packaging take here, for the plan in time of a submission that has not run."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from eval.scorecard import score_predictions
from podium.core.clock import Clock, MonotonicClock
from podium.core.config import RunConfig
from podium.core.files import write_parts
from podium.core.paths import find_evalset, find_trainset
from podium.core.records import Prediction, Sample
from podium.submission.evidence import chosen_scorer
from podium.submission.packaging.code import code_here
from podium.submission.packaging.layout import crc_of, zip_parts
from podium.submission.packaging.leaks import leaks_in
from podium.submission.packaging.members import chunks_of


def measure_scoring(
    config: RunConfig, samples: Sequence[Sample], predictions: Sequence[Prediction], clock: Clock | None = None
) -> float:
    """Wall seconds to score all of `samples`: those of `predictions` are scored here, and the rest in proportion.

    Raises:
        UsageError: there are no predictions, or the scorer cannot judge one of them.
    """
    clock, answered = clock or MonotonicClock(), {prediction.id for prediction in predictions}
    scored = [sample for sample in samples if sample.id in answered]
    started_s = clock.now()
    score_predictions(scored, predictions, chosen_scorer(config))
    return (clock.now() - started_s) * len(samples) / len(scored)


def measure_packaging(config: RunConfig, clock: Clock | None = None) -> float:
    """Wall seconds to scan, hash and zip the code and the data of a config, which are most of a package."""
    clock = clock or MonotonicClock()
    started_s = clock.now()
    contents = {
        **code_here(),
        "traces.jsonl": find_trainset(config.data.trainset) / "traces.jsonl",
        "evalset.jsonl": find_evalset(config.eval.evalset),
    }
    members = sorted((f"package/{name}", chunks_of(content)) for name, content in contents.items())
    for name, chunks in members:
        leaks_in(chunks(), is_data=name.endswith(".jsonl"))
        crc_of(chunks())
    with tempfile.TemporaryDirectory(prefix="podium-measure-") as scratch:
        write_parts(Path(scratch) / "package.zip", zip_parts(members))
    return clock.now() - started_s
