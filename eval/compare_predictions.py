"""Compare runs by their predictions, all of them scored now by one version of one scorer."""

from collections.abc import Sequence

from eval.compare import Comparison, Entry, compare
from eval.scorecard import Scorecard, score_predictions
from eval.sets.evalset import check_split, split_of_sample
from eval.sets.predictions import read_predictions
from eval.sets.sources import PredictionSource
from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.records import Sample
from podium.core.run_files import PREDICTIONS, SCORECARD


def compare_predictions(
    sources: Sequence[PredictionSource], split: str = "all", seed: int = 0
) -> tuple[Comparison, list[str]]:
    """Compare every run with the first, on the items of `split` that all of them had to answer.

    The second value holds warnings, one line each: items without a prediction, scores that are out of date.

    Raises:
        UsageError: fewer than two runs, or runs without a common evalset, scorer or item.
    """
    samples, scorer = _common_samples(sources, split), _common_scorer(sources)
    entries = [_entry(source, samples, scorer, seed) for source in sources]
    comparison = compare(sources[0].evalset, samples, entries, seed)
    warnings = [line for source, entry in zip(sources, entries, strict=True) for line in _warnings(source, entry.card)]
    return comparison, warnings


def _common_samples(sources: Sequence[PredictionSource], split: str) -> list[Sample]:
    """The samples of `split` that every run had to answer, in the evalset's order."""
    wanted = check_split(split)
    first = sources[0]
    for source in sources[1:]:
        if source.evalset.sha256 != first.evalset.sha256:
            raise UsageError(
                f"{first.label} is on {first.evalset.name} ({first.evalset.sha256[:12]}), {source.label} on "
                f"{source.evalset.name} ({source.evalset.sha256[:12]}); compare runs on one version of one evalset"
            )
    ids = set.intersection(*({sample.id for sample in source.samples} for source in sources))
    samples = [s for s in first.evalset.samples if s.id in ids and wanted in ("all", split_of_sample(s))]
    if not samples:
        raise UsageError(f"no item of split {split} was answered by all of {', '.join(s.label for s in sources)}")
    return samples


def _common_scorer(sources: Sequence[PredictionSource]) -> str:
    first = sources[0]
    for source in sources[1:]:
        if source.scorer != first.scorer:
            raise UsageError(
                f"{first.label} is scored by {first.scorer}, {source.label} by {source.scorer}; give one with --scorer"
            )
    return first.scorer


def _entry(source: PredictionSource, samples: Sequence[Sample], scorer: str, seed: int) -> Entry:
    file = read_predictions(source.path)
    elsewhere = {sample.id for sample in source.evalset.samples} - {sample.id for sample in samples}
    predictions = [prediction for prediction in file.predictions if prediction.id not in elsewhere]
    texts: dict[str, str] = {}
    for prediction in predictions:
        before = texts.get(prediction.id)
        texts[prediction.id] = prediction.text if before is None else f"{before}\n---\n{prediction.text}"
    card = score_predictions(samples, predictions, scorer, seed, malformed=file.malformed)
    return Entry(source.label, card, texts)


def _warnings(source: PredictionSource, card: Scorecard) -> list[str]:
    found = [source.note] if source.note else []
    if card.n_missing or card.n_skipped:
        found.append(f"{source.label}: {card.n_missing} items without prediction, {card.n_skipped} lines not used")
    stored = source.path.with_name(SCORECARD)
    if source.path.name == PREDICTIONS and stored.is_file():
        values = read_json(stored)
        was = (values.get("scorer"), values.get("scorer_version")) if isinstance(values, dict) else (None, None)
        if was != (card.scorer, card.scorer_version):
            found.append(
                f"{source.label}: its {SCORECARD} is by {was[0]} version {was[1]}; here everything is scored by "
                f"{card.scorer} version {card.scorer_version}, and the two are not comparable"
            )
    return found
