import json

import pytest

from eval.importers import import_samples
from podium.core.errors import UsageError

GSM8K = {"question": "How many?", "answer": "one <<1+1=2>>2\ntwo\nthree\n#### 1,234"}


def read(tmp_path, layout, *rows, limit=None):
    path = tmp_path / "file.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return import_samples(path, "mine", layout, limit)


def test_gsm8k(tmp_path):
    short = {"question": "q", "answer": "x\n#### -3"}
    first, second = read(tmp_path, "gsm8k", GSM8K, short)
    assert first.model_dump() == {
        "id": "mine-00001",
        "prompt": "How many?",
        "expected_answer": "1234",
        "section": "core",
        "category": "gsm8k",
        "difficulty": "medium",
        "accepted": (),
        "meta": {},
    }
    assert (second.id, second.expected_answer, second.difficulty) == ("mine-00002", "-3", "easy")


def test_limit_reads_no_further(tmp_path):
    assert len(read(tmp_path, "gsm8k", GSM8K, GSM8K, "not an object", limit=2)) == 2


def test_prompt_response_takes_a_samples_own_fields(tmp_path):
    own = {"id": "x", "section": "edge_case", "difficulty": "hard", "accepted": ["four"], "source": "me"}
    plain, full = read(
        tmp_path,
        "prompt-response",
        {"prompt": "p", "response": "2+2=4\n<answer>4</answer>"},
        {"prompt": "q", "response": "4", **own},
    )
    assert (plain.id, plain.expected_answer, plain.section, plain.difficulty) == ("mine-00001", "4", "core", "medium")
    assert (full.id, full.section, full.difficulty, full.accepted) == ("x", "edge_case", "hard", ("four",))


@pytest.mark.parametrize(
    ("layout", "row", "reason"),
    [
        ("gsm8k", {"question": "q", "answer": "42"}, "the answer has no final line '#### N'"),
        ("gsm8k", {"question": "q", "answer": "42\n####"}, "the answer has no final line '#### N'"),
        ("gsm8k", {"answer": "#### 1"}, "'question' is None, must be a text"),
        ("gsm8k", 3, "holds int, must be an object"),
        ("prompt-response", {"prompt": "p", "response": "<answer></answer>"}, "the response holds no answer"),
        ("prompt-response", {"prompt": "p", "response": "r", "difficulty": "odd"}, "difficulty='odd'"),
        ("prompt-response", {"prompt": "p", "response": "r", "id": "mine-00001"}, "id 'mine-00001' is there already"),
    ],
)
def test_a_bad_line_is_named(tmp_path, layout, row, reason):
    good = GSM8K if layout == "gsm8k" else {"prompt": "p", "response": "r"}
    with pytest.raises(UsageError) as raised:
        read(tmp_path, layout, good, row)
    assert str(raised.value).startswith(f"{tmp_path / 'file.jsonl'}:2: {reason}")


def test_empty_file_and_unknown_format(tmp_path):
    with pytest.raises(UsageError, match="holds no items"):
        read(tmp_path, "gsm8k")
    with pytest.raises(UsageError, match="format 'csv', must be one of gsm8k, prompt-response"):
        read(tmp_path, "csv", GSM8K)


@pytest.mark.realdata
def test_gsm8k_test_file_imports_whole(realdata):
    samples = import_samples(realdata / "gsm8k/test.jsonl", "gsm8k", "gsm8k")
    assert len(samples) == 1319
    assert all(sample.expected_answer.lstrip("-").isdigit() for sample in samples)
    assert {sample.difficulty for sample in samples} == {"easy", "medium", "hard"}
