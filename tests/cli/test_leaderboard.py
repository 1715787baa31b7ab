import json
import shutil

import pytest

from eval.scorecard import score_predictions
from eval.sets.evalset import load_evalset
from podium.core.files import read_json, write_json
from podium.core.records import Prediction
from podium.core.states import State
from tests.submission.small import write_study


@pytest.fixture
def study(home, finished):
    """A study with complete and other trials beside the complete submission `done`."""
    shutil.copytree(finished, home, dirs_exist_ok=True)
    evalset = load_evalset("small_v1")
    name = write_study(
        home, (State.COMPLETE, 50.0), (State.COMPLETE, 75.0), (State.PRUNED, None), (State.DIVERGED, None)
    )
    samples = evalset.split("dev")
    for number in range(3):
        right = [Prediction(id=sample.id, text=sample.expected_answer) for sample in samples[: number + 1]]
        card = score_predictions(samples, right, evalset=evalset.scored_set("dev"))
        write_json(home / f"workspace/studies/{name}/trials/{number:03d}/scorecard.json", card.model_dump(mode="json"))
    return name


def test_complete_trials_and_submissions_by_split(podium, study):
    done = podium("leaderboard", "--evalset", "small_v1")
    assert (done.code, done.err) == (0, "")
    dev, holdout = done.out.split("evalset  small_v1 (holdout)")
    assert "evalset  small_v1 (dev), sha256 " in dev and "scorer   answer version 3" in dev
    rows = [line.split() for line in dev.splitlines()]
    ranked = {row[-2]: row[0] for row in rows if row and row[-1] in ("trial", "submission")}
    assert ranked == {f"{study}/1": "1", f"{study}/0": "2", "done": "3"}
    assert "done" in holdout and study not in holdout.split("warning")[0]
    assert f"warning: left out: 2 trials of {study} that did not complete" in done.out


def test_json(podium, study):
    found = json.loads(podium("leaderboard", "--json").out)
    assert [board["evalset"]["split"] for board in found["boards"]] == ["dev", "holdout"]
    assert [row["label"] for row in found["boards"][0]["rows"]] == [f"{study}/1", f"{study}/0", "done"]
    assert found["warnings"] == [f"left out: 2 trials of {study} that did not complete"]


def test_top(podium, study):
    done = podium("leaderboard", "--top", 1)
    assert f"{study}/1" in done.out and f"{study}/0" not in done.out
    assert "and 2 more; --top N or --json shows them" in done.out


def test_other_versions_stand_apart_with_a_warning(podium, home, study):
    path = home / f"workspace/studies/{study}/trials/000/scorecard.json"
    write_json(path, {**read_json(path), "scorer_version": "1"})
    done = podium("leaderboard")
    assert done.out.count("scorer   answer version 3") == 2 and done.out.count("scorer   answer version 1") == 1
    assert "warning: small_v1 (dev) is scored by answer in versions 1, 3, which are not comparable" in done.out
    evalset = home / "evalsets/small_v1.jsonl"
    evalset.write_text(evalset.read_text() + "\n")
    newer = podium("leaderboard", "--evalset", "small_v1")
    assert "no scores yet" in newer.out
    assert "warning: left out: 4 scores on another version of small_v1" in newer.out


def test_what_cannot_be_read_is_left_out_and_named(podium, home, study):
    path = home / f"workspace/studies/{study}/trials/000/scorecard.json"
    path.write_text("{")
    write_json(home / "submission_runs/done/run_manifest.json", {"state": "failed"})
    done = podium("leaderboard")
    assert done.code == 0
    assert f"warning: left out: {path}:1: not JSON" in done.out
    assert "warning: left out: submission done, which is failed" in done.out


def test_further_runs_may_be_named(podium, home, study):
    shutil.copytree(home / f"workspace/studies/{study}/trials/002", home / "mine")
    done = podium("leaderboard", "mine", "--top", 9)
    assert ["1", "mine", "run"] in [[row.split()[0], *row.split()[-2:]] for row in done.out.splitlines() if row.split()]
    refused = podium("leaderboard", "nowhere")
    assert refused.code == 2
    assert refused.err == "error: nowhere/scorecard.json does not exist; check the path\n"


def test_nothing_yet(podium):
    done = podium("leaderboard")
    assert (done.code, done.out) == (0, "no scores yet; `podium sweep` and `podium submit` produce scores\n")
