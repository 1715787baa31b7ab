"""Damaged files, as the commands meet them: one line, and `podium repair`."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from podium.core.paths import study_dir
from podium.core.states import State
from tests.damage import flip_bit
from tests.submission.small import tree, write_study


@pytest.fixture
def study(home) -> str:
    return write_study(home, (State.COMPLETE, 40.0), (State.PRUNED, None), (State.COMPLETE, 60.0))


@pytest.fixture
def run(home: Path, finished: Path) -> Path:
    """A run of three steps: a submission without its lock."""
    ignored = shutil.ignore_patterns("lock.json", "claim.json", "run_manifest.json")
    shutil.copytree(finished / "trainsets", home / "trainsets", dirs_exist_ok=True)
    shutil.copytree(finished / "evalsets", home / "evalsets", dirs_exist_ok=True)
    return Path(shutil.copytree(finished / "submission_runs" / "done", home / "run", ignore=ignored))


@pytest.mark.parametrize("name", ["journal.log", "space.yaml", "storage.json"])
def test_one_damaged_study_hides_no_other(podium, study, home, name):
    damaged = write_study(home, (State.COMPLETE, 50.0))
    other = study_dir(damaged)
    text = (other / name).read_bytes()
    (other / name).write_bytes(b"{" + text[:-1])
    done = podium("studies")
    assert done.code == 0
    assert done.out.splitlines()[1].startswith(study)
    (line,) = [line for line in done.out.splitlines() if line.startswith(damaged)]
    assert line.startswith(f"{damaged} is damaged: {other / name}") and f"`podium repair {damaged}`" in line
    bad, good = sorted(json.loads(podium("studies", "--json").out), key=lambda row: "states" in row)
    assert (bad.keys(), good["best_trial"]) == ({"study", "damage"}, 2)
    for command in (["show", damaged], ["trials", damaged], ["promote", damaged, "--as", "x"], ["watch", damaged]):
        refused = podium(*command)
        assert refused.code in (1, 2) and len(refused.err.splitlines()) == 1
        assert str(other / name) in refused.err and "bug in Podium" not in refused.err
    assert podium("show", study).code == 0


@pytest.mark.parametrize(
    "text", ['{"states": {"compl', "[]", '{"failed": 7}', '{"mlflow": {"failures": 1, "unwritte": []}}']
)
def test_a_damaged_summary_blocks_nothing(podium, study, home, text):
    summary = study_dir(study) / "summary.json"
    summary.write_text(text)
    shown = podium("show", study)
    assert shown.code == 0
    (warning,) = [line for line in shown.out.splitlines() if "warning: " in line]
    assert str(summary) in warning and f"`podium repair {study}` writes what it can of it" in warning
    assert podium("studies").code == 0
    assert podium("promote", study, "--as", "one", "--quick").code == 0
    assert (home / "submission_runs" / "one" / "lock.json").is_file()
    repaired = podium("repair", study)
    assert repaired.code == 0 and "written anew from the trials; the damaged one is kept" in repaired.out
    assert "warning: " not in podium("show", study).out


def test_what_a_promotion_needs_of_a_trial_is_checked_before_the_lock(podium, study, home):
    """The sizes of a trial whose config leaves them open are in its own config.yaml alone."""
    space = study_dir(study) / "space.yaml"
    values = yaml.safe_load(space.read_text())
    values["base_config"]["generate"]["batch_size"] = "auto"
    space.write_text(yaml.safe_dump(values))
    config = study_dir(study) / "trials" / "002" / "config.yaml"
    refused = podium("promote", study, "--as", "one")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert f"{config} is missing, which has the trial's generate.batch_size" in refused.err
    config.write_text("train: {learning_rate: ")
    refused = podium("promote", study, "--as", "one")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1) and str(config) in refused.err
    assert not (home / "submission_runs" / "one").exists()


def test_a_repair_says_what_it_did(podium, study):
    assert podium("repair", study).out == f"{study}: nothing is damaged\n"
    journal = study_dir(study) / "journal.log"
    flip_bit(journal, bit=7)
    done = podium("repair", study)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[-1].endswith("the damaged one is kept as journal.log.damaged-1")
    assert podium("show", study).code == 0
    assert podium("repair", "absent").err.startswith("error: study 'absent' not found")


def test_a_run_is_repaired(podium, run):
    before = tree(run)
    assert podium("repair", "run").out == "run: nothing is damaged\n"
    assert tree(run) == before
    for name in ("config.yaml", "provenance.json", "scorecard.json"):
        (run / name).write_bytes(b"\xff" + before[name])
    (run / "metrics.jsonl").write_bytes(before["metrics.jsonl"][:-5])
    refused = podium("predict", "--run", "run", "--evalset", "small_v1", "--out", "p.jsonl")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1) and "run/config.yaml" in refused.err
    done = podium("repair", "run")
    assert done.code == 0, done.err
    after = tree(run)
    assert {name for name in after if ".damaged-1" in name} == {
        f"{name}.damaged-1" for name in ("config.yaml", "provenance.json", "scorecard.json", "metrics.jsonl")
    }
    assert after["config.yaml"] == before["config.yaml"]  # from the checkpoint
    lost = [line for line in done.out.splitlines() if line.startswith("lost: ")]
    assert [line.partition(": ")[2].partition(": ")[0] for line in lost] == [
        *("run/metrics.jsonl", "run/provenance.json", "run/scorecard.json")
    ]
    assert podium("repair", "run").out == "run: nothing is damaged\n"


def test_a_damaged_checkpoint_is_one_line_until_it_is_set_aside(podium, run):
    arrays = max((run / "checkpoints" / "3" / "trainable").rglob("*"), key=lambda path: path.stat().st_size)
    flip_bit(arrays)
    for command in (
        ["predict", "--run", "run", "--evalset", "small_v1", "--out", "p.jsonl"],
        ["export", "--run", "run", "--out", "hf"],
    ):
        refused = podium(*command)
        assert (refused.code, len(refused.err.splitlines())) == (1, 1)
        assert (
            f"checkpoints/3 is damaged (trainable/{arrays.relative_to(run / 'checkpoints/3/trainable')}" in refused.err
        )
    done = podium("repair", "run")
    assert done.code == 0 and (run / "checkpoints" / "3.damaged-1").is_dir()
    more = podium("train", "run/config.yaml", "--out", "run", "--resume")
    assert more.code == 0, more.err
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["3", "3.damaged-1"]
    assert podium("predict", "--run", "run", "--evalset", "small_v1", "--out", "p.jsonl").code == 0


def test_a_submission_is_never_repaired(podium, home, finished):
    shutil.copytree(finished / "submission_runs", home / "submission_runs")
    refused = podium("repair", "submission_runs/done")
    assert refused.code == 2 and "is a submission, whose evidence is never changed" in refused.err
