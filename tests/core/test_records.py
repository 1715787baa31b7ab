import pytest

from podium.core.errors import UsageError
from podium.core.records import Prediction, ReasoningTrace, Report, Sample, parse_record, read_records
from podium.core.states import State

SAMPLE = {
    "id": "a",
    "prompt": "1+1=?",
    "expected_answer": "2",
    "section": "core",
    "category": "add",
    "difficulty": "easy",
}


def test_bad_line_is_named(tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('{"id": "a", "text": "x"}\n{"id": "b", "txt": "y"}\n')
    with pytest.raises(UsageError, match=r"set\.jsonl:2: "):
        read_records(Prediction, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"difficulty": "brutal"}, "difficulty='brutal'"),
        ({"expected_answer": ""}, "expected_answer=''"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_bad_sample(change, message):
    with pytest.raises(UsageError) as caught:
        parse_record(Sample, SAMPLE | change, "here")
    assert str(caught.value).startswith(f"here: {message}")


def test_missing_field_and_wrong_shape():
    with pytest.raises(UsageError, match="here: prompt is missing; add it"):
        parse_record(ReasoningTrace, {"final_answer": "1"}, "here")
    with pytest.raises(UsageError, match="here: holds list, must be an object"):
        parse_record(ReasoningTrace, [], "here")


def test_a_report_cannot_hold_nan():
    with pytest.raises(ValueError, match="finite"):
        Report(step=1, state=State.RUNNING, metrics={"dev/score": float("nan")})


def test_only_running_is_not_final():
    assert [state for state in State if not state.is_final] == [State.RUNNING]
