"""Rank runs by their scores. A table holds scores on the same items by the same version of the same scorer."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from eval.sets.evalset import Evalset, ScoredSet
from podium.core.errors import UsageError
from podium.core.records import Record, parse_record


class Standing(Record):
    """The fields of a scorecard that a leaderboard needs."""

    evalset: ScoredSet
    scorer: str
    scorer_version: str
    answer_correctness: float
    interval: tuple[float, float]
    n_items: int
    n_missing: int


@dataclass(frozen=True)
class Entry:
    label: str
    kind: str  # trial, submission or run
    standing: Standing


class Row(Record):
    rank: int  # from 1; equal scores share a rank
    label: str
    kind: str
    answer_correctness: float
    interval: tuple[float, float]
    n_missing: int


class Board(Record):
    """One table of comparable scores."""

    evalset: ScoredSet
    n_items: int
    scorer: str
    scorer_version: str
    rows: tuple[Row, ...]  # best first


class Leaderboard(Record):
    boards: tuple[Board, ...]
    warnings: tuple[str, ...]


def read_standing(values: Any, where: str) -> Standing:
    """Read the values of a scorecard, with or without its items. Raises UsageError for anything else."""
    if not isinstance(values, Mapping) or not isinstance(values.get("evalset"), Mapping):
        raise UsageError(f"{where}: not a scorecard on an evalset; score predictions with `podium score --out`")
    known = {name: values[name] for name in Standing.model_fields if name in values}
    return parse_record(Standing, known, where)


def leaderboard(entries: Iterable[Entry], left_out: Iterable[str] = (), evalset: Evalset | None = None) -> Leaderboard:
    """Rank the entries; with `evalset`, only those that were scored on this version of it.

    `left_out` says which runs are missing and why; the warnings repeat it.
    """
    ranked, missing = list(entries), list(left_out)
    if evalset:
        others = [entry for entry in ranked if entry.standing.evalset.sha256 != evalset.sha256]
        ranked = [entry for entry in ranked if entry.standing.evalset.sha256 == evalset.sha256]
        older = sum(entry.standing.evalset.name == evalset.name for entry in others)
        missing += [f"{older} scores on another version of {evalset.name}"] * bool(older)
    found = boards(ranked)
    warnings = (*mixed_versions(found), *(f"left out: {what}" for what in missing))
    return Leaderboard(boards=tuple(found), warnings=warnings)


def boards(entries: Iterable[Entry]) -> list[Board]:
    """One board per evalset version, split and scorer version; the board with most rows comes first."""
    groups: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in entries:
        found = entry.standing
        groups[found.evalset.model_dump_json(), found.scorer, found.scorer_version].append(entry)
    return sorted((_board(group) for group in groups.values()), key=lambda board: -len(board.rows))


def mixed_versions(found: Iterable[Board]) -> list[str]:
    """One warning per split of an evalset that several versions of the same scorer have scored."""
    versions = defaultdict(set)
    for board in found:
        versions[board.evalset.name, board.evalset.split, board.scorer].add(board.scorer_version)
    return [
        f"{name} ({split}) is scored by {scorer} in versions {', '.join(sorted(known))}, which are not comparable"
        for (name, split, scorer), known in versions.items()
        if len(known) > 1
    ]


def _board(entries: list[Entry]) -> Board:
    first = entries[0].standing
    scores = [entry.standing.answer_correctness for entry in entries]
    rows = [
        Row(
            rank=1 + sum(score > entry.standing.answer_correctness for score in scores),
            label=entry.label,
            kind=entry.kind,
            answer_correctness=entry.standing.answer_correctness,
            interval=entry.standing.interval,
            n_missing=entry.standing.n_missing,
        )
        for entry in entries
    ]
    return Board(
        evalset=first.evalset,
        n_items=first.n_items,
        scorer=first.scorer,
        scorer_version=first.scorer_version,
        rows=tuple(sorted(rows, key=lambda row: row.rank)),
    )
