"""What the command line does, from Python: find runs by name, compare them, rank them."""

import shutil

import pytest

from eval.compare_predictions import compare_predictions
from eval.leaderboard import leaderboard
from eval.sets.evalset import load_evalset
from podium.core.errors import UsageError
from podium.core.states import State
from podium.runs import find_entries, find_predictions
from tests.submission.small import write_study


@pytest.fixture
def data(home, finished):
    """A home with the complete submission `done`."""
    shutil.copytree(finished, home, dirs_exist_ok=True)
    return home


def test_a_submission_by_its_name_and_by_its_folder(data):
    by_name, by_folder = find_predictions("done"), find_predictions("submission_runs/done")
    assert by_name.path.samefile(by_folder.path)
    assert by_name.samples == load_evalset("small_v1").samples  # it answers its own split and dev
    assert (by_name.label, by_name.evalset.name, by_name.scorer) == ("done", "small_v1", "answer")
    comparison, warnings = compare_predictions([by_name, by_folder], "dev")
    assert (comparison.part, comparison.pairings[0].overall.points, warnings) == ("dev", 0.0, [])
    with pytest.raises(UsageError, match="scorer 'x', must be one of"):
        compare_predictions([find_predictions("done", scorer="x")] * 2)
    assert data.exists()


def test_entries_of_submissions_and_given_folders_and_what_is_left_out(data):
    study = write_study(data, (State.PRUNED, None))
    entries, left_out = find_entries([data / "submission_runs/done"])
    assert [(entry.label, entry.kind) for entry in entries] == [
        ("done", "submission"),
        ("done", "submission"),
        ("submission_runs/done", "run"),
    ]
    assert left_out == [f"1 trial of {study} that did not complete"]
    ranked = leaderboard(entries, left_out, load_evalset("small_v1"))
    assert [board.evalset.split for board in ranked.boards] == ["holdout", "dev"]
    assert ranked.warnings == (f"left out: 1 trial of {study} that did not complete",)
