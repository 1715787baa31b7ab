import pytest

from podium.core.errors import UsageError
from podium.core.records import Message
from trainer.data.from_predictions import RightAnswer, conversation_of, trace_of, trainset_from
from trainer.data.trainsets import iter_examples, read_manifest

PROGRAM = "def solve(grid):\n    #### the rule\n    return grid\n"


def test_a_text_becomes_steps_and_an_answer():
    answer = RightAnswer("3+4=?", "<reasoning>\n3+4=7\n</reasoning>\n<answer>7</answer>", meta={"category": "sum"})
    trace = trace_of(answer)
    assert (trace.prompt, trace.final_answer, trace.meta) == ("3+4=?", "7", {"category": "sum"})
    assert [step.content for step in trace.steps] == ["3+4=7"]


@pytest.mark.parametrize(
    ("response", "steps", "answer"),
    [
        ("Paris", [], "Paris"),
        ("It is in France.\nParis", [], "It is in France.\nParis"),
        ("one\ntwo\n#### 3", ["one", "two"], "3"),
        ("#### 110\nThe answer is: 110", [], "110"),
        ("one\n####", [], "one\n####"),
        ("<reasoning>\none\n</reasoning>\n<answer> 3 </answer>", ["one"], "3"),
        ("<answer>1</answer> no: <answer>2</answer>", ["<answer>1</answer> no:"], "2"),
        ("#### 3\n<answer>4</answer>", ["#### 3"], "4"),
    ],
)
def test_what_a_response_becomes(response, steps, answer):
    trace = trace_of(RightAnswer("p", response))
    assert ([step.content for step in trace.steps], trace.final_answer) == (steps, answer)


def test_a_program_is_the_answer_whatever_is_in_it():
    trace = trace_of(RightAnswer("p", f"thinking\n{PROGRAM}", PROGRAM))
    assert (trace.final_answer, trace.steps) == (f"```python\n{PROGRAM.strip()}\n```", ())


def test_a_trainset(tmp_path):
    answers = [RightAnswer("p", "1", meta={"category": "c"}), RightAnswer("q", "x", PROGRAM, {"category": "arc"})]
    manifest = trainset_from(answers, tmp_path / "mine", name="mine", source="answer")
    assert (manifest.recipe, manifest.count, manifest.composition) == ("from-predictions:answer", 2, {"arc": 1, "c": 1})
    assert read_manifest(tmp_path / "mine") == manifest
    assert list(iter_examples(tmp_path / "mine")) == [trace_of(answer) for answer in answers]


@pytest.mark.parametrize(
    ("name", "answers", "message"),
    [
        ("tiny-reasoning", ["1"], "trainset name 'tiny-reasoning' is the name of a recipe; choose another name"),
        ("mine", ["1"], "trainset 'mine' already exists"),
        ("other", [], "none of the predictions is correct, so there is nothing to train on"),
    ],
)
def test_refusals_write_nothing(tmp_path, name, answers, message):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UsageError, match=message):
        trainset_from([RightAnswer("p", text) for text in answers], tmp_path / name, name=name, source="answer")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine"]


def test_an_answer_to_messages_is_the_only_reply_that_is_learned():
    said = (
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "3+3?"},
    )
    messages = tuple(map(Message.model_validate, said))
    found = conversation_of(RightAnswer("", " 6\n", messages=messages))
    assert [(turn.role, turn.content, turn.weight) for turn in found.messages] == [
        *(("user", "2+2?", 1), ("assistant", "4", 0), ("user", "3+3?", 1), ("assistant", " 6\n", 1))
    ]
    assert (
        conversation_of(RightAnswer("", "x", PROGRAM, messages=messages)).messages[-1].content.startswith("```python\n")
    )
