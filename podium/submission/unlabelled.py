"""Unlabelled items, such as a competition's test set: read, answered, and handed in without a score."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from eval.arc_submission import makes_attempts, write_arc_submission
from eval.scorers import get_scorer
from eval.scorers.extracting import ExtractingScorer
from eval.scorers.multi_sample import majority
from eval.sets.prompts import load_challenges
from podium.core.errors import UsageError
from podium.core.files import write_text
from podium.core.hashing import sha256_file
from podium.core.paths import find_file, home
from podium.core.records import Prediction, Prompt, Question, parse_record
from podium.core.run_files import SUBMISSION, SUBMISSION_CSV
from podium.core.tables import read_tables
from podium.submission.claim import UnlabelledFile


def find_unlabelled(name: str) -> UnlabelledFile:
    """The file `name` with its hash. Raises UsageError if it does not exist."""
    path = find_file(name)
    where = path.relative_to(home()) if path.is_relative_to(home()) else path
    return UnlabelledFile(path=where.as_posix(), sha256=sha256_file(path))


def read_unlabelled(file: UnlabelledFile, scorer: str) -> list[Question]:
    """The items of a file: ARC challenges if `scorer` makes attempts, else rows with an id and a prompt or messages.

    Raises:
        UsageError: the file is missing, empty, malformed, or not the one that was hashed; or an id is there twice.
    """
    path = find_file(file.path)
    if (found := sha256_file(path)) != file.sha256:
        raise UsageError(
            f"--test {path}: differs from the file that the attempt began with (expected {file.sha256[:12]}, found "
            f"{found[:12]}); restore it"
        )
    if makes_attempts(scorer):
        return load_challenges(path, scorer)
    questions: dict[str, Question] = {}
    for row in read_tables([path]):
        question = parse_record(Question, row.values, row.where)
        if question.id in questions:
            raise UsageError(f"{row.where}: id {question.id!r} is there twice; give each item its own id")
        questions[question.id] = question
    if not questions:
        raise UsageError(f"--test {path}: holds no items; each needs an id, and a prompt or messages")
    return list(questions.values())


def write_answers(run_dir: Path, prompts: Sequence[Prompt], predictions: Iterable[Prediction], scorer: str) -> str:
    """Write the competition's file, and return its name: submission.json for ARC, else submission.csv (id, answer).

    An item without a prediction has an empty answer, or the placeholder of ARC's format.
    """
    if makes_attempts(scorer):
        write_arc_submission(run_dir / SUBMISSION, prompts, predictions, scorer)
        return SUBMISSION
    by_id: dict[str, list[str | None]] = defaultdict(list)
    for prediction in predictions:
        by_id[prediction.id].append(_answer(prediction.text, scorer))
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("id", "answer"))
    rows.writerows((prompt.id, _most_frequent(by_id[prompt.id])) for prompt in prompts)
    write_text(run_dir / SUBMISSION_CSV, table.getvalue())
    return SUBMISSION_CSV


def _answer(text: str, scorer: str) -> str | None:
    """The answer in a text as the scorer would extract it; the whole text for a scorer that extracts nothing."""
    judge = get_scorer(scorer)
    if not isinstance(judge, ExtractingScorer):
        return text.strip()
    found = judge.strict(text)
    return found.answer if found else None


def _most_frequent(answers: Sequence[str | None]) -> str:
    winner, _ = majority(answers)
    return (answers[winner] or "") if answers else ""
