import pytest

from podium.core.errors import UsageError
from podium.core.states import State
from tests.submission.small import write_study
from tuning.promotion import promote_unconfirmed


def test_the_best_complete_trial_is_promoted(home):
    study = write_study(
        home, (State.COMPLETE, 40.0), (State.PRUNED, None), (State.COMPLETE, 60.0), (State.FAILED, None)
    )
    record = promote_unconfirmed(study)
    assert (record.study, record.trial, record.value, record.state) == ("small-001", 2, 60.0, State.COMPLETE)
    assert record.overrides == {"train.learning_rate": 0.003}
    assert record.config["train"]["learning_rate"] == 0.003
    assert record.config["data"]["trainset"] == "small"  # from the base config
    assert (record.metric, record.direction) == ("dev/answer_correctness", "maximize")
    assert record.mlflow_run_id == f"{2:032x}"
    assert (record.verdict, record.decision) == ("unconfirmed", None)
    assert record.contamination == {"n_items": 12, "exact": [], "near": [], "ngram": 5, "threshold": 0.5}


def test_another_complete_trial_can_be_asked_for(home):
    study = write_study(home, (State.COMPLETE, 40.0), (State.COMPLETE, 60.0))
    assert promote_unconfirmed(study, 0).value == 40.0


@pytest.mark.parametrize("state", [state for state in State if state is not State.COMPLETE])
def test_no_other_state_is_promoted(home, state):
    study = write_study(home, (State.COMPLETE, 40.0), (state, None))
    with pytest.raises(
        UsageError, match=rf"^trial 1 of study 'small-001' is {state}.*, must be complete; promote another"
    ):
        promote_unconfirmed(study, 1)


def test_unknown_trial_and_study(home):
    study = write_study(home, (State.COMPLETE, 40.0))
    with pytest.raises(UsageError, match="study 'small-001' has no trial 7; it has trials 0 to 0"):
        promote_unconfirmed(study, 7)
    with pytest.raises(UsageError, match=r"study 'large-001' not found in .*; known: small-001"):
        promote_unconfirmed("large-001")


def test_a_study_without_a_complete_trial(home):
    study = write_study(home, (State.PRUNED, None), (State.DIVERGED, None))
    with pytest.raises(UsageError) as caught:
        promote_unconfirmed(study)
    assert str(caught.value) == ("study 'small-001' has no complete trial; run more: podium sweep --resume small-001")


@pytest.mark.parametrize(
    ("file", "what"),
    [("trainsets/small/traces.jsonl", "trainset_sha256 of small"), ("evalsets/small_v1.jsonl", "evalset_sha256")],
)
def test_data_that_changed_since_the_sweep(home, file, what):
    study = write_study(home, (State.COMPLETE, 40.0))
    (home / file).write_text((home / file).read_text() + "\n")
    with pytest.raises(
        UsageError, match=rf"^{what} is \w{{12}}, was \w{{12}} when study 'small-001' ran; .* sweep again$"
    ):
        promote_unconfirmed(study)
