"""What a competition's scorer would refuse."""

import json

import pytest

from podium.submission.rehearsal.handed_in import judge
from podium.submission.rehearsal.outcome import Verdict

IDS = ["a", "b", "c"]
GOOD = "id,answer\na,1\nb,2\nc,3\n"
WRONG = [
    ("id,answer\na,1\nb,2\n", "submission.csv: 1 of 3 ids are missing (c)"),
    ("id,answer\na,1\nb,2\nc,3\nd,4\n", "submission.csv: 4 rows, must be 3: unknown ids d"),
    ("id,answer\na,1\nb,2\nb,2\nc,3\n", "submission.csv: b twice"),
    ("id,answer\na,1\nb,2\nc\n", "submission.csv: the row ['c'] has 1 values, must have 2"),
    ("id,result\na,1\nb,2\nc,3\n", "submission.csv: has the columns id, result, must have id, answer"),
    ("id,answer\na,1\nb,two\nc,3\n", "submission.csv: answer='two' is no number, as it is in sample.csv"),
    ("", "submission.csv: has the columns , must have id, answer"),
]


@pytest.fixture
def sample(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample") / "sample.csv"
    path.write_text("id,answer\na,0\nb,0\n")
    return path


@pytest.mark.parametrize(("text", "line"), WRONG)
def test_a_wrong_file_is_a_scoring_error(tmp_path, sample, text, line):
    (tmp_path / "submission.csv").write_text(text)
    assert judge(tmp_path, IDS, sample) == (Verdict.SCORING, line)


def test_a_right_file_passes(tmp_path, sample):
    (tmp_path / "submission.csv").write_text(GOOD)
    assert judge(tmp_path, IDS, sample) is judge(tmp_path, IDS, None) is None


def test_no_file(tmp_path):
    line = "neither submission.csv nor submission.json is in the working folder"
    assert judge(tmp_path, IDS, None) == (Verdict.NO_FILE, line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (json.dumps(dict.fromkeys(IDS)), None),
        ("{", "is no JSON"),
        ("[1]", "is no object of tasks"),
        (json.dumps({"a": 1}), "2 of 3 ids are missing (b, c)"),
    ],
)
def test_json(tmp_path, text, line):
    (tmp_path / "submission.json").write_text(text)
    found = judge(tmp_path, IDS, None)
    assert found is None if line is None else found is not None and line in found[1]
