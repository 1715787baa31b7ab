import json
from pathlib import Path

import pytest

from eval.scorers import get_scorer
from eval.sets.importers import gold, import_set
from podium.core.bad_rows import BadRows
from podium.core.errors import UsageError
from podium.core.gold import fault_of_gold
from podium.core.records import Prediction, Sample
from podium.core.sources import Source

GSM8K = {"question": "How many?", "answer": "one <<1+1=2>>2\ntwo\nthree\n#### 1,234"}

MMLU = {"question": "Which?", "choices": ["Rome", "Paris"], "answer": 1}


def read(tmp_path, format, *rows, limit=None):
    path = tmp_path / "file.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return import_set(Source(str(path)), "mine", format, limit=limit).samples


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
    ("format", "row", "reason"),
    [
        ("gsm8k", {"question": "q", "answer": "42"}, "has the fields question, answer, and gsm8k needs"),
        ("gsm8k", {"question": "q", "answer": "42\n####"}, "the answer has no final line '#### N'"),
        ("gsm8k", {"answer": "#### 1"}, "has the fields answer, and gsm8k needs question, answer"),
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
def test_a_bad_line_is_named(tmp_path, format, row, reason):
    good = {"gsm8k": GSM8K, "prompt-response": {"prompt": "p", "response": "r"}, "multiple-choice": MMLU}[format]
    with pytest.raises(UsageError) as raised:
        read(tmp_path, format, good, row)
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
    source = Source(str(path))
    found = import_set(source, "mine")
    assert (found.scorer, found.format) == ("choice", "multiple-choice")
    assert import_set(source, "mine", "multiple-choice", scorer="exact").scorer == "exact"
    with pytest.raises(UsageError, match="--solutions x: format 'multiple-choice' takes none; leave them out"):
        import_set(source, "mine", "multiple-choice", solutions=Path("x"))


@pytest.mark.parametrize(
    ("row", "format", "prompt", "answer"),
    [
        ({"question": "q", "answer": "a\n#### 1,100\nThe answer is: 1100"}, "gsm8k", "q", "1100"),
        ({"prompt": " p\n", "response": "so\n#### 4"}, "prompt-response", " p\n", "4"),
        ({"prompt": "p", "completion": "The answer is: 4."}, "prompt-completion", "p", "4"),
        ({"instruction": "i", "input": "x", "output": "4"}, "alpaca", "i\n\nx", "4"),
        ({"Body": "b", "Question": "q", "Answer": 145.0}, "question-answer", "b\nq", "145"),
        ({"sQuestion": "q", "lSolutions": [9.0]}, "mawps", "q", "9"),
        ({"prompt": "p", "final_answer": 4, "steps": []}, "traces", "p", "4"),
        ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "4"}]}, "messages", "q", "4"),
        ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "4"}]}, "sharegpt", "q", "4"),
    ],
)
def test_the_formats_of_trainsets(tmp_path, row, format, prompt, answer):
    path = tmp_path / "file.jsonl"
    path.write_text(json.dumps(row))
    found = import_set(Source(str(path)), "mine")
    assert (found.format, found.scorer) == (format, "answer")
    assert [(sample.prompt, sample.expected_answer) for sample in found.samples] == [(prompt, answer)]


def test_a_conversation_asks_by_its_turns_before_the_last_answer(tmp_path):
    before = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "and 1?"},
    ]
    tools = [{"type": "function", "function": {"name": "add"}}]
    row = {"messages": [*before, {"role": "assistant", "content": "The answer is 5."}], "tools": tools}
    (sample,) = read(tmp_path, "auto", row)
    assert (sample.prompt, sample.expected_answer, sample.tools) == ("", "5", tuple(tools))
    assert [turn.model_dump(exclude_defaults=True) for turn in sample.messages] == before


RESPONSES = [
    *(
        "#### 110\nThe answer is: 110",
        "42",
        "It is\n**Answer**: 42",
        "**Answer:** 42",
        "\\boxed{7}",
        "<answer>5</answer>",
    ),
    *(
        "\\[\n42\n\\]",
        "$$\n42\n$$",
        "so:\n```\n42\n```",
        "42\n---",
        "The final answer is: 7",
        "9 (apples)",
        "3 (a); 4 (b)",
    ),
]


@pytest.mark.parametrize("response", RESPONSES)
def test_gold_is_no_markup_and_the_response_itself_is_right(response):
    answer = gold(response)
    assert fault_of_gold(answer) is None
    sample = {
        "id": "a",
        "prompt": "p",
        "section": "s",
        "category": "c",
        "difficulty": "easy",
        "expected_answer": answer,
    }
    score = get_scorer("answer").score(Sample(**sample), Prediction(id="a", text=response))
    assert score.value == 1, score.reason


def test_named_fields_and_a_container(tmp_path):
    (tmp_path / "a.csv").write_text("text;label\nq;4\n")
    fields = {"prompt_fields": ("text",), "response_field": "label"}
    found = import_set(Source(str(tmp_path / "a.csv")), "mine", **fields)
    assert (found.format, found.samples[0].prompt, found.samples[0].expected_answer) == ("fields", "q", "4")


def test_arc(tmp_path):
    challenges, solutions = tmp_path / "c.json", tmp_path / "s.json"
    pairs = {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[3]]}, {"input": [[4]]}]}
    challenges.write_text(json.dumps({"one": pairs, "two": pairs}))
    solutions.write_text(json.dumps({"one": [[[5]], [[6]]], "two": [[[5]], [[6]]]}))
    source = Source(str(challenges))
    found = import_set(source, "mine", solutions=solutions)
    assert ([sample.id for sample in found.samples], found.scorer) == (["one_0", "one_1", "two_0", "two_1"], "arc_grid")
    found = import_set(source, "mine", "arc", solutions=solutions, scorer="arc_program", limit=1)
    assert ([sample.id for sample in found.samples], found.scorer) == (["one_0", "one_1"], "arc_program")
    assert "solve(grid)" in found.samples[0].prompt
    with pytest.raises(UsageError, match="task one has no solution"):
        import_set(source, "mine", "arc")
    with pytest.raises(UsageError, match="scorer 'answer': format arc needs arc_grid or arc_program"):
        import_set(source, "mine", "arc", solutions=solutions, scorer="answer")
    solutions.write_text(json.dumps({"one": [[[5]], [[6, 7], [8]]], "two": [[[5]], [[6]]]}))
    with pytest.raises(UsageError, match=r"s.json: task one, output 1: row 1 has 1 cells and row 0 has 2"):
        import_set(source, "mine", "arc", solutions=solutions)


def test_bad_rows_may_be_skipped(tmp_path):
    (tmp_path / "f.csv").write_text("id,prompt,response\na,1+1=?,2\nb,2+2=?,\na,3+3=?,6\n")
    bad = BadRows(skip=True)
    found = import_set(Source(str(tmp_path / "f.csv")), "mine", bad=bad)
    assert ([sample.id for sample in found.samples], bad.numbers) == (["a"], {2, 3})  # 3 has the id of 1
    assert "f.csv:3: 'response' is ''" in bad.first


def test_empty_file_and_unknown_format(tmp_path):
    with pytest.raises(UsageError, match="holds no examples"):
        read(tmp_path, "gsm8k")
    with pytest.raises(UsageError, match=r"format 'csv', must be one of auto, multiple-choice, messages, .*mawps, arc"):
        read(tmp_path, "csv", GSM8K)


@pytest.mark.realdata
def test_gsm8k_test_file_imports_whole(realdata):
    found = import_set(Source(str(realdata / "gsm8k/test.jsonl")), "gsm8k")
    samples = found.samples
    assert (found.scorer, found.format) == ("answer", "gsm8k")
    assert len(samples) == 1319
    assert all(sample.expected_answer.lstrip("-").isdigit() for sample in samples)
    assert {sample.difficulty for sample in samples} == {"easy", "medium", "hard"}
