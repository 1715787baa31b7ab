"""The best trials of a study, run again with new seeds and compared on the holdout."""

import json

import pytest

from eval.sets.evalset import load_evalset
from eval.sets.looks import looks_file
from podium.core.errors import PodiumError, UsageError
from podium.core.states import State
from tests.submission.small import tree, write_study
from tests.tuning.holdout import HoldoutByChance
from tuning.candidates import Configuration
from tuning.promotion import promote
from tuning.study.data import data_hashes
from tuning.study.files import report_file, request_stop
from tuning.study.locks import DriverLock
from tuning.study.storage import open_storage
from tuning.study.study import DATA, find_study, load_study

TRIALS = ((State.COMPLETE, 40.0), (State.COMPLETE, 50.0), (State.COMPLETE, 60.0), (State.PRUNED, None))


@pytest.fixture
def study(home):
    return write_study(home, *TRIALS, n_items=240)


@pytest.fixture
def worker(monkeypatch):
    monkeypatch.setattr(HoldoutByChance, "trained", [])
    return HoldoutByChance


def confirm(study, worker, **options):
    return promote(study, worker=worker, backend="inline", **options)


def test_the_best_trials_run_again_and_the_better_one_is_promoted(study, worker):
    seen = []
    record = confirm(study, worker, on_run=seen.append)
    assert (record.trial, record.verdict, record.value) == (2, "promote", 60.0)
    decision = record.decision
    # Trial 0 has the values of the base config, and trial 3 is not complete.
    assert [one.label for one in decision.candidates] == ["trial 2", "trial 1"]
    assert (decision.reference.label, decision.looks, decision.winner) == ("baseline", 1, "trial 2")
    assert decision.reference.seeds == (1001, 1002, 1003, 1004)
    assert decision.candidates[0].seeds == (1001, 1002, 1003)
    assert decision.candidates[0].sweep_score == 60.0
    assert record.config["train"]["seed"] == 0  # that of the trial
    assert len(seen) == len(worker.trained) == 4 + sum(len(one.seeds) for one in decision.candidates)
    assert {run.state for run in seen} == {State.COMPLETE}


def test_a_candidate_that_cannot_win_is_not_run_to_the_last_seed(study, worker, monkeypatch):
    monkeypatch.setattr(worker, "slope", 0.2)
    found = confirm(study, worker).decision.candidates
    assert [(one.label, len(one.seeds)) for one in found] == [("trial 2", 3), ("trial 1", 2)]


def test_nothing_better_is_not_promoted(study, worker, monkeypatch):
    monkeypatch.setattr(worker, "slope", -0.1)
    assert confirm(study, worker).verdict == "do not promote"


def test_a_promotion_goes_on_where_it_was_stopped(study, worker):
    def stop_after_four(run):
        if run.number == 3:
            request_stop(folder, "interrupted")

    folder = load_study(study).dir / "confirmation"
    with pytest.raises(PodiumError, match=r"^stopped: interrupted; finished runs are kept, the same command goes on$"):
        confirm(study, worker, on_run=stop_after_four)
    first, worker.trained[:] = list(worker.trained), []
    assert len(first) == 4
    assert not looks_file().exists()
    decision = confirm(study, worker).decision
    assert not set(first) & set(worker.trained)
    assert decision == confirm(study, worker).decision  # all is known now
    assert len(looks_file().read_text().splitlines()) == 1


def test_more_seeds_run_only_what_is_new_and_are_another_look(study, worker):
    confirm(study, worker, seeds=2)
    before = len(worker.trained)
    decision = confirm(study, worker, seeds=3).decision
    assert (decision.looks, len(worker.trained) - before) == (2, 2)  # trial 1 cannot win any more
    look = json.loads(looks_file().read_text().splitlines()[1])
    assert (look["evalset"], look["study"]) == ("small_v1", study)


def test_a_candidate_that_fails_is_out(study, worker, monkeypatch):
    monkeypatch.setattr(worker, "cliff", 0.0025)
    seen = []
    record = confirm(study, worker, on_run=seen.append)
    assert [one.label for one in record.decision.candidates] == ["trial 1"]
    failed = [run for run in seen if run.state is State.DIVERGED]
    assert [(run.configuration.label, run.score, run.reason) for run in failed] == [
        ("trial 2", None, "seed 1001: loss exploded at step 1")
    ]


def test_without_the_reference_there_is_no_comparison(study, worker, monkeypatch):
    monkeypatch.setattr(worker, "cliff", 0.0)
    with pytest.raises(
        PodiumError, match=r"^baseline: seed 1001: loss exploded at step 1; there is nothing to compare"
    ):
        confirm(study, worker)


def test_another_reference(study, worker):
    best = load_study(study).trial(2)
    decision = confirm(study, worker, against=Configuration("lock old", best.run_config)).decision
    assert [one.label for one in decision.candidates] == ["trial 1", "trial 0"]  # not trial 2, which is the reference
    assert (decision.reference.label, decision.verdict) == ("lock old", "do not promote")


def test_one_trial_alone(study, worker):
    assert [one.label for one in confirm(study, worker, trial=1).decision.candidates] == ["trial 1"]


def test_a_result_of_other_items_is_run_again(study, worker):
    confirm(study, worker)
    folder = load_study(study).dir / "confirmation"
    assert report_file(folder, 0).is_file()
    card = folder / "trials/000/scorecard.json"
    card.write_text(json.dumps({**json.loads(card.read_text()), "scorer_version": "0"}))
    worker.trained.clear()
    confirm(study, worker)
    assert worker.trained == [(0, 1001)]


@pytest.mark.parametrize(
    ("n_items", "trials", "message"),
    [
        (8, TRIALS, r"^the holdout has \d items or groups of items, must have 7 or more for a verdict on 2 cand"),
        (
            240,
            TRIALS[:1],
            r"^study 'small-001' has no complete trial but baseline, which it is compared with; run more",
        ),
        (240, TRIALS[3:], r"^study 'small-001' has no complete trial; run more: podium sweep --resume small-001$"),
    ],
)
def test_bad_input_runs_nothing(home, worker, n_items, trials, message):
    study = write_study(home, *trials, n_items=n_items)
    before = tree(home / "workspace")
    with pytest.raises(UsageError, match=message):
        confirm(study, worker)
    assert worker.trained == []
    assert tree(home / "workspace") == before


def test_a_study_that_runs_is_not_promoted(study, worker):
    with DriverLock(load_study(study).dir), pytest.raises(UsageError, match=r"^study 'small-001' is being run by proc"):
        confirm(study, worker)


@pytest.mark.parametrize(
    ("options", "line"),
    [({"seeds": 1}, r"^seeds=1, must be 2 or more: one does not show"), ({"top": 0}, r"^top=0, must be 1 or more")],
)
def test_numbers_out_of_range(study, worker, options, line):
    with pytest.raises(UsageError, match=line):
        confirm(study, worker, **options)


def test_an_overlap_is_refused_unless_it_is_declared(home, study, worker):
    long = "seven trains leave the old station at noon and each of them carries ninety tired people to work"
    evalset, traces = home / "evalsets/small_v1.jsonl", home / "trainsets/small/traces.jsonl"
    first, *others = evalset.read_text().splitlines()
    evalset.write_text("\n".join([json.dumps({**json.loads(first), "prompt": f"{long} today?"}), *others]) + "\n")
    traces.write_text(traces.read_text() + json.dumps({"prompt": f"{long} daily?", "final_answer": "630"}) + "\n")
    open_storage(find_study(study)).set_user_attr(DATA, data_hashes(load_evalset("small_v1"), ["small"]))
    line = (
        r"^1 of 240 prompts of evalset 'small_v1' are in trainset 'small', exactly or nearly \(item-0\); take them "
        r"out of one of the two, or say why that is no matter: --overlap TEXT$"
    )
    with pytest.raises(UsageError, match=line):
        confirm(study, worker)
    assert worker.trained == []
    assert confirm(study, worker, overlap="the same template").overlap == "the same template"
