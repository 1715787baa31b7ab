"""Compare runs item by item with the first: the items fixed and broken, and whether the difference is significant.

docs/evaluation.md defines the terms. All runs must be scored on the same samples by the same scorer.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from eval.scorecard import Metric, Scorecard
from eval.sets.evalset import Evalset, cluster_label
from eval.sets.groups import grouped
from eval.statistics.bootstrap import mean_interval
from eval.statistics.clusters import Clusters
from eval.statistics.sign_test import cluster_sign_test, mcnemar
from podium.core.errors import UsageError
from podium.core.records import GROUPS, Record, Sample, as_text
from podium.core.wording import counted

Verdict = Literal["fixed", "broken", "both right", "both wrong"]


@dataclass(frozen=True)
class Entry:
    """A run to compare; `texts` holds the predicted text by item id."""

    label: str
    card: Scorecard
    texts: Mapping[str, str]


class ComparedRun(Record):
    label: str
    answer_correctness: float
    interval: tuple[float, float]
    n_missing: int
    metrics: dict[str, Metric]


class Difference(Record):
    """The difference of a run from the first over some items, in points."""

    n_items: int
    fixed: int  # items with a higher value than in the first run
    broken: int  # items with a lower value
    both_right: int
    both_wrong: int  # equal values below 1
    points: float  # its answer_correctness minus that of the first
    interval: tuple[float, float]  # 95%, paired percentile bootstrap over items; those of a `meta.group` together
    p_value: float  # McNemar's exact test, two-sided; with groups, a sign test in which their items go together


class Pairing(Record):
    base: str
    other: str
    overall: Difference
    sections: dict[str, Difference]
    categories: dict[str, Difference]
    difficulties: dict[str, Difference]


class Outcome(Record):
    value: float
    extracted: str | None
    reason: str
    text: str | None  # None if there is no prediction


class ComparedItem(Record):
    id: str
    section: str
    category: str
    difficulty: str
    prompt: str
    expected: str
    outcomes: tuple[Outcome, ...]  # in the order of the runs
    verdicts: tuple[Verdict, ...]  # of every run except the first


class Comparison(Record):
    comparison_version: Literal["1"] = "1"
    evalset: str
    evalset_sha256: str
    part: str  # the split (dev, holdout or all) that the items make up, else `part`
    n_items: int
    scorer: str
    scorer_version: str
    seed: int
    runs: tuple[ComparedRun, ...]
    pairings: tuple[Pairing, ...]  # the first run with each of the others
    items: tuple[ComparedItem, ...]


def compare(evalset: Evalset, samples: Sequence[Sample], entries: Sequence[Entry], seed: int = 0) -> Comparison:
    """Compare every entry with the first on `samples` of `evalset`.

    Raises:
        UsageError: fewer than two entries, two with the same label, or entries with different items or scorers.
    """
    _check(samples, entries)
    first, *others = entries
    return Comparison(
        evalset=evalset.name,
        evalset_sha256=evalset.sha256,
        part=evalset.part_name(samples),
        n_items=len(samples),
        scorer=first.card.scorer,
        scorer_version=first.card.scorer_version,
        seed=seed,
        runs=tuple(_run(entry) for entry in entries),
        pairings=tuple(_pairing(samples, first, other, seed) for other in others),
        items=tuple(_item(sample, place, entries) for place, sample in enumerate(samples)),
    )


def verdict(base: float, other: float) -> Verdict:
    if base != other:
        return "fixed" if other > base else "broken"
    return "both right" if base == 1 else "both wrong"


def _check(samples: Sequence[Sample], entries: Sequence[Entry]) -> None:
    if len(entries) < 2:
        raise UsageError(f"{counted(len(entries), 'run')} to compare, must be two or more; name another run")
    labels = [entry.label for entry in entries]
    twice = [label for label, count in Counter(labels).items() if count > 1]
    if twice:
        raise UsageError(f"{twice[0]} is given twice; compare different runs")
    scorers = sorted({f"{entry.card.scorer} version {entry.card.scorer_version}" for entry in entries})
    if len(scorers) > 1:
        raise UsageError(
            f"the runs are scored by {' and '.join(scorers)}, which are not comparable; score them with one"
        )
    ids = [sample.id for sample in samples]
    for entry in entries:
        if [score.id for score in entry.card.scores] != ids:
            raise UsageError(f"{entry.label} is not scored on the items to compare; score all runs on the same items")


def _run(entry: Entry) -> ComparedRun:
    card = entry.card
    return ComparedRun(
        label=entry.label,
        answer_correctness=card.answer_correctness,
        interval=card.interval,
        n_missing=card.n_missing,
        metrics=card.metrics,
    )


def _pairing(samples: Sequence[Sample], base: Entry, other: Entry, seed: int) -> Pairing:
    scores = zip(samples, base.card.scores, other.card.scores, strict=True)
    pairs = [(cluster_label(sample), a.value, b.value) for sample, a, b in scores]
    by_group: dict[str, Any] = {
        plural: {name: _difference(members, seed) for name, members in groups.items()}
        for plural, groups in grouped(samples, pairs).items()
    }
    return Pairing(base=base.label, other=other.label, overall=_difference(pairs, seed), **by_group)


def _difference(pairs: Sequence[tuple[str, float, float]], seed: int) -> Difference:
    """From the cluster and the two values of each item."""
    count = Counter(verdict(base, other) for _, base, other in pairs)
    changes = np.array([other - base for _, base, other in pairs])
    clusters = Clusters.of(label for label, _, _ in pairs)
    fixed, broken = count["fixed"], count["broken"]
    return Difference(
        n_items=len(pairs),
        fixed=fixed,
        broken=broken,
        both_right=count["both right"],
        both_wrong=count["both wrong"],
        points=100 * sum(changes.tolist()) / len(changes),
        interval=mean_interval(changes, seed, clusters),  # paired: the two values of an item are drawn together
        p_value=mcnemar(fixed, broken) if clusters.are_items else cluster_sign_test(changes, clusters, seed),
    )


def _item(sample: Sample, place: int, entries: Sequence[Entry]) -> ComparedItem:
    scores = [entry.card.scores[place] for entry in entries]
    groups: dict[str, Any] = {kind: getattr(sample, kind) for kind in GROUPS}
    return ComparedItem(
        **groups,
        id=sample.id,
        prompt=as_text(sample),
        expected=sample.expected_answer,
        outcomes=tuple(
            Outcome(value=score.value, extracted=score.extracted, reason=score.reason, text=entry.texts.get(sample.id))
            for entry, score in zip(entries, scores, strict=True)
        ),
        verdicts=tuple(verdict(scores[0].value, score.value) for score in scores[1:]),
    )
