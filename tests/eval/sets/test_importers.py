import json
from pathlib import Path

import pytest

from eval.sets.importers import import_lines, import_set
from podium.core.errors import UsageError

GSM8K = {"question": "How many?", "answer": "one <<1+1=2>>2\ntwo\nthree\n#### 1,234"}

MMLU = {"question": "Which?", "choices": ["Rome", "Paris"], "answer": 1}


def read(tmp_path, layout, *rows, limit=None):
    path = tmp_path / "file.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return import_lines(path, "mine", layout, limit)


def test_gsm8k(tmp_path):
    short = {"question": "q", "answer": "x\n#### -3"}
    first, second = read(tmp_path, "gsm8k", GSM8K, short)
    assert first.model_dump(exclude_defaults=True) == {
        "id": "mine-00001",
        "prompt": "How many?",
        "expected_answer": "1234",
        "section": "core",
        "category": "gsm8k",
        "difficulty": "medium",
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
        ("gsm8k", {"answer": "#### 1"}, "'question' is None, must be a non-empty text"),
        ("gsm8k", 3, "holds int, must be an object"),
        ("prompt-response", {"prompt": "p", "response": "<answer></answer>"}, "the response holds no answer"),
        ("prompt-response", {"prompt": "p", "response": "r", "difficulty": "odd"}, "difficulty='odd'"),
        ("prompt-response", {"prompt": "p", "response": "r", "id": "mine-00001"}, "id 'mine-00001' appears twice"),
        ("multiple-choice", {"question": "q", "choices": "ab", "answer": 0}, "'choices' is 'ab', must be a list of"),
        (
            "multiple-choice",
            {**MMLU, "choices": ["a", " "]},
            "'choices' is ['a', ' '], must be a list of non-empty texts",
        ),
        ("multiple-choice", {**MMLU, "choices": ["a"]}, "'choices' has 1 texts, must have 2 to 5"),
        ("multiple-choice", {**MMLU, "choices": list("abcdef")}, "'choices' has 6 texts, must have 2 to 5"),
        ("multiple-choice", {**MMLU, "choices": ["a", "A."]}, "'choices' holds the same text twice"),
        (
            "multiple-choice",
            {**MMLU, "answer": "C"},
            "the answer is 'C', must be one of A, B, an index from 0, or",
        ),
        ("multiple-choice", {**MMLU, "answer": 2}, "the answer is 2, must be one of A, B"),
        ("multiple-choice", {**MMLU, "answer": True}, "the answer is True, must be one of A, B"),
        ("multiple-choice", {**MMLU, "answer": None}, "the answer is None, must be one of A, B"),
        (
            "multiple-choice",
            {**MMLU, "choices": {"text": ["a", "b"], "label": ["1"]}},
            "'label' is ['1'], must be a list of 2",
        ),
    ],
)
def test_a_bad_line_is_named(tmp_path, layout, row, reason):
    good = {"gsm8k": GSM8K, "prompt-response": {"prompt": "p", "response": "r"}, "multiple-choice": MMLU}[layout]
    with pytest.raises(UsageError) as raised:
        read(tmp_path, layout, good, row)
    assert str(raised.value).startswith(f"{tmp_path / 'file.jsonl'}:2: {reason}")


@pytest.mark.parametrize(
    "row",
    [
        MMLU,
        {**MMLU, "answer": "B"},
        {**MMLU, "answer": " Paris "},
        {"question": "Which?", "choices": {"text": ["Rome", "Paris"], "label": ["1", "2"]}, "answerKey": "2"},
    ],
)
def test_multiple_choice(tmp_path, row):
    (sample,) = read(tmp_path, "multiple-choice", row)
    assert sample.prompt == "Which?\nA. Rome\nB. Paris\nAnswer with the letter of the right choice."
    assert (sample.expected_answer, sample.accepted, sample.category) == ("B", ("Paris",), "multiple-choice")


def test_a_choice_that_is_a_letter_or_number_is_taken_for_its_label_first(tmp_path):
    (sample,) = read(tmp_path, "multiple-choice", {**MMLU, "choices": ["B", "A"], "answer": "A"})
    assert sample.accepted == ("B",)


def test_a_format_brings_its_scorer(tmp_path):
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(MMLU))
    assert import_set(path, "mine", "multiple-choice")[1] == "choice"
    assert import_set(path, "mine", "multiple-choice", scorer="exact")[1] == "exact"
    with pytest.raises(UsageError, match="--solutions x: format 'multiple-choice' takes none; leave them out"):
        import_set(path, "mine", "multiple-choice", solutions=Path("x"))


def test_arc(tmp_path):
    challenges, solutions = tmp_path / "c.json", tmp_path / "s.json"
    pairs = {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[3]]}, {"input": [[4]]}]}
    challenges.write_text(json.dumps({"one": pairs, "two": pairs}))
    solutions.write_text(json.dumps({"one": [[[5]], [[6]]], "two": [[[5]], [[6]]]}))
    samples, scorer = import_set(challenges, "mine", "arc", solutions=solutions)
    assert ([sample.id for sample in samples], scorer) == (["one_0", "one_1", "two_0", "two_1"], "arc_grid")
    samples, scorer = import_set(challenges, "mine", "arc", solutions=solutions, scorer="arc_program", limit=1)
    assert ([sample.id for sample in samples], scorer) == (["one_0", "one_1"], "arc_program")
    assert "solve(grid)" in samples[0].prompt
    with pytest.raises(UsageError, match="task one has no solution"):
        import_set(challenges, "mine", "arc")
    with pytest.raises(UsageError, match="scorer 'answer': format arc needs arc_grid or arc_program"):
        import_set(challenges, "mine", "arc", solutions=solutions, scorer="answer")
    solutions.write_text(json.dumps({"one": [[[5]], [[6, 7], [8]]], "two": [[[5]], [[6]]]}))
    with pytest.raises(UsageError, match=r"s.json: task one, output 1: row 1 has 1 cells and row 0 has 2"):
        import_set(challenges, "mine", "arc", solutions=solutions)


def test_empty_file_and_unknown_format(tmp_path):
    with pytest.raises(UsageError, match="holds no items"):
        read(tmp_path, "gsm8k")
    with pytest.raises(UsageError, match="format 'csv', must be one of gsm8k, prompt-response, multiple-choice, arc"):
        read(tmp_path, "csv", GSM8K)


@pytest.mark.realdata
def test_gsm8k_test_file_imports_whole(realdata):
    samples, scorer = import_set(realdata / "gsm8k/test.jsonl", "gsm8k", "gsm8k")
    assert scorer == "answer"
    assert len(samples) == 1319
    assert all(sample.expected_answer.lstrip("-").isdigit() for sample in samples)
    assert {sample.difficulty for sample in samples} == {"easy", "medium", "hard"}
