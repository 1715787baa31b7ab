import json

import pytest

from podium.core.errors import UsageError
from podium.core.formats import choose_format, read_row
from podium.core.tables import Row

CODE = "def f(x):\n\n    return x  \n"  # blank lines, indentation and the end of the text are part of it
TURNS = [("user", " 2+2?\n"), ("assistant", CODE)]
MESSAGES = [{"role": role, "content": text} for role, text in TURNS]


def read(row, format="auto", **fields):
    rows = [Row("f:1", 1, row)]
    chosen, rows = choose_format(rows, format, **fields)
    (values,) = [read_row(chosen, row) for row in rows]
    return chosen.name, values


def said(values):
    return [(message["role"], message["content"]) for message in values["messages"]]


@pytest.mark.parametrize(
    ("format", "row"),
    [
        ("prompt-response", {"prompt": TURNS[0][1], "response": CODE}),
        ("prompt-completion", {"prompt": TURNS[0][1], "completion": CODE}),
        ("prompt-completion", {"prompt": MESSAGES[:1], "completion": MESSAGES[1:]}),
        ("question-answer", {"question": TURNS[0][1], "answer": CODE}),
        ("alpaca", {"instruction": TURNS[0][1], "output": CODE}),
        ("alpaca", {"instruction": TURNS[0][1], "input": " ", "output": CODE, "system": "", "history": []}),
        ("sharegpt", {"conversations": [{"from": "human", "value": TURNS[0][1]}, {"from": "gpt", "value": CODE}]}),
        ("sharegpt", {"conversation": MESSAGES}),
        ("messages", {"messages": MESSAGES}),
        ("messages", {"messages": {"role": ["user", "assistant"], "content": [TURNS[0][1], CODE]}}),
        ("messages", {"messages": [{"role": "system", "content": ""}, *MESSAGES]}),
    ],
)
def test_every_layout_is_detected_and_keeps_texts_to_the_byte(format, row):
    name, values = read({**row, "id": 7})
    assert (name, said(values), values["meta"]) == (format, TURNS, {"id": 7})
    assert read(row, format) == (format, {**values, "meta": {}})


def test_alpacas_input_stands_below_the_instruction_and_its_history_before():
    row = {"instruction": "Add.", "input": "1, 2", "output": "3", "system": "Be brief.", "history": [["Hi", "Hello"]]}
    assert said(read(row)[1]) == [
        ("system", "Be brief."),
        ("user", "Hi"),
        ("assistant", "Hello"),
        ("user", "Add.\n\n1, 2"),
        ("assistant", "3"),
    ]


def test_a_conversation_of_podium_is_read_again():
    row = {"conversation_version": "1", "messages": MESSAGES, "meta": {"category": "x"}, "id": 7}
    assert read(row)[1] == {"messages": MESSAGES, "meta": {"category": "x", "id": 7}}


@pytest.mark.parametrize(
    ("row", "name", "prompt", "response"),
    [
        (
            {"ID": "chal-1", "Body": "Ann has 9 pens.", "Question": "How many?", "Answer": 9.0, "Type": "Sum"},  # SVAMP
            "question-answer",
            "Ann has 9 pens.\nHow many?",
            "9",
        ),
        (
            {"body": "Ann has 9.", "question": "How many?", "answer": "9 (apples)", "formula": "7+2=9"},  # ASDiv
            "question-answer",
            "Ann has 9.\nHow many?",
            "9 (apples)",
        ),
        (
            {"iIndex": 1, "sQuestion": "How many?", "lEquations": ["X=9"], "lSolutions": [9.5]},
            "mawps",
            "How many?",
            "9.5",
        ),
        ({"Question": "How many?", "Equation": "+ 4 5", "Answer": 9}, "question-answer", "How many?", "9"),  # MAWPS
    ],
)
def test_sets_of_word_problems(row, name, prompt, response):
    found, values = read(row)
    assert (found, said(values)) == (name, [("user", prompt), ("assistant", response)])


def test_named_fields():
    fields = {"prompt_fields": ("body", "question"), "response_field": "answer"}
    name, values = read({"body": "b", "question": "q", "answer": [110], "rest": 1}, **fields)
    assert (name, said(values), values["meta"]) == ("fields", [("user", "b\nq"), ("assistant", "110")], {"rest": 1})


@pytest.mark.parametrize("context", [{}, {"context": ""}, {"context": " \n"}, {"context": None}])
def test_an_empty_one_of_several_named_fields_is_left_out(context):  # as in most rows of Dolly
    fields = {"prompt_fields": ("instruction", "context"), "response_field": "response"}
    rows = [{"instruction": "i", "response": "r", **context}, {"instruction": "i", "context": "c", "response": "r"}]
    chosen, rows = choose_format([Row(f"f:{n}", n, row) for n, row in enumerate(rows, 1)], "auto", **fields)
    assert [said(read_row(chosen, row))[0] for row in rows] == [("user", "i"), ("user", "i\nc")]


def test_a_named_field_that_no_row_has_is_refused():
    fields = {"prompt_fields": ("topic", "nope"), "response_field": "reply"}
    with pytest.raises(UsageError) as raised:
        read({"topic": "t", "query": "q", "reply": "r"}, **fields)
    assert str(raised.value) == "f:1: has no field 'nope', nor has any row after it; it has topic, query, reply"


def test_gsm8k_takes_its_answer_from_the_line_with_the_marks():
    row = {"question": " q ", "answer": "A is 12/60 = $<<12/60=0.2>>0.2.\n\nB.\n#### 1,110\nThe answer is: 1110"}
    name, values = read(row)
    assert (name, values["prompt"], values["final_answer"]) == ("gsm8k", "q", "1110")
    assert values["steps"] == [
        {"i": 1, "type": "reason", "content": "A is 12/60 = $0.2."},
        {"i": 2, "type": "reason", "content": "B."},
    ]


def test_a_heading_of_markdown_is_no_answer_of_gsm8k():
    assert read({"question": "q", "answer": "#### Idea\nAdd both.\n\nIt is 4."})[0] == "question-answer"


@pytest.mark.parametrize("version", ["1.0", "1", 1, 1.0])
def test_traces(version):
    row = {"trace_version": version, "prompt": "p", "final_answer": 5, "meta": {"category": "x"}, "fitness": 13}
    assert read(row) == (
        "traces",
        {"trace_version": "1", "prompt": "p", "final_answer": "5", "meta": {"category": "x", "fitness": 13}},
    )


QA = {"question": "q", "answer": "no mark"}
NO_FIT = "f:1: has the fields query, reply, and no format fits them; name the fields: --prompt-field NAME"


@pytest.mark.parametrize(
    ("format", "row", "message"),
    [
        ("auto", {"query": "q", "reply": "r"}, NO_FIT),
        (
            "auto",
            {"data": [{"prompt": "p"}]},
            "has the fields data, and no format fits them; save the list in 'data' as",
        ),
        (
            "auto",
            {"question": "q", "choices": ["a", "b"], "answer": 0},
            "has the fields question, choices, answer, and no",
        ),
        (
            "prompt-response",
            {"instruction": "p", "output": "r"},
            "f:1: has the fields instruction, output, and prompt-response needs prompt, response; "
            "--format alpaca would fit",
        ),
        (
            "prompt-response",
            {"text": "p"},
            "needs prompt, response; name its fields by --prompt-field and --response-field",
        ),
        (
            "prompt-response",
            {"prompt": None, "response": "r"},
            "f:1: 'prompt' is None, must be a text or a number, and not",
        ),
        ("prompt-response", {"prompt": "p", "response": " \n"}, r"'response' is ' \n', must be a text or a number"),
        ("prompt-response", {"prompt": "p", "response": True}, "'response' is True, must be a text or a number"),
        ("gsm8k", QA, "gsm8k needs question, answer with '#### N' at the end; --format question-answer would fit"),
        ("gsm8k", {"question": "q", "answer": "x\n####  "}, "f:1: the answer has no final line '#### N'"),
        ("gsm8k", {"question": "", "answer": "#### 1"}, "'question' is '', must be a text"),
        (
            "alpaca",
            {"instruction": "a", "output": "b", "history": ["x"]},
            "'history' is ['x'], must be a list of pairs",
        ),
        (
            "alpaca",
            {"instruction": "a", "input": [1, 2], "output": "b"},
            "'input' is [1, 2], must be a text or a number",
        ),
        ("messages", {"messages": MESSAGES, "tools": "{"}, "'tools' is not JSON (Expecting property name"),
        ("traces", {"prompt": "p", "final_answer": "a", "meta": 3}, "meta holds int, must be an object"),
        (
            "traces",
            {"prompt": "p", "final_answer": "a", "meta": {"x": 1}, "x": 2},
            "'x' is given both in meta and beside",
        ),
        (
            "csv",
            {"prompt": "p"},
            "format 'csv', must be one of auto, messages, sharegpt, traces, alpaca, prompt-response, ",
        ),
    ],
)
def test_refusals_name_the_fields_and_what_would_fit(format, row, message):
    with pytest.raises(UsageError) as raised:
        read(row, format)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("format", "fields", "message"),
    [
        ("auto", {"prompt_fields": ("q",)}, "--prompt-field is given without --response-field; give both"),
        ("auto", {"response_field": "a"}, "--response-field is given without --prompt-field; give both"),
        (
            "alpaca",
            {"prompt_fields": ("q",), "response_field": "a"},
            "--format alpaca has its own fields; leave out --prompt-field and --response-field, or --format",
        ),
        ("auto", {"prompt_fields": ("q",), "response_field": "b"}, "f:1: has no field 'b'; it has q, a$"),
        ("auto", {"prompt_fields": ("x", "y"), "response_field": "a"}, "f:1: has no field 'x'; it has q, a$"),
    ],
)
def test_refusals_of_named_fields(format, fields, message):
    with pytest.raises(UsageError, match=message):
        read({"q": "1", "a": "2"}, format, **fields)


def test_tools_may_be_json_text():
    tools = [{"type": "function", "function": {"name": "add"}}]
    assert read({"messages": MESSAGES, "tools": json.dumps(tools)})[1]["tools"] == tools
    assert "tools" not in read({"messages": MESSAGES, "tools": ""})[1]
