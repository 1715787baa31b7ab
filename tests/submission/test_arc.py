"""A submission on an ARC set: the competition's own file is part of the evidence."""

import json
import zipfile

from eval.arc.samples import arc_samples
from eval.arc.submission import check_submission
from eval.arc.tasks import Pair, Task
from podium.core.files import write_json, write_jsonl
from podium.submission.packaging.opened import verify_package
from podium.submission.packaging.package import package
from podium.submission.verification.folder import verify_folder
from tests.submission.small import edit, seal
from tests.submission.test_run_once import read, run


def test_submission_json_has_every_task_and_is_packaged(data_home):
    flip = Pair([[1, 2], [3, 4]], [[4, 3], [2, 1]])
    tasks = {f"t{n}": Task(f"t{n}", (flip, flip), (flip,) * (1 + n % 2)) for n in range(6)}
    rows = [sample.model_dump(mode="json") for sample in arc_samples(tasks, "arc_grid")]
    write_jsonl(data_home / "evalsets/arc.jsonl", [{"evalset_version": "1", "scorer": "arc_grid"}, *rows])

    run("arc", **{"eval.evalset": "arc", "eval.submission_split": "all", "generate.max_prompt_tokens": 128})

    submission = read(data_home, "submission.json", "arc")
    assert list(submission) == list(tasks)
    check_submission(submission, tasks, "here")
    assert read(data_home, "eval_summary.json", "arc")["splits"]["all"]["scorer"] == "arc_grid"
    assert "submission.json" in read(data_home, "run_manifest.json", "arc")["files"]
    made = package("arc").path
    with zipfile.ZipFile(made) as archive:
        assert json.loads(archive.read(f"{made.stem}/submission_runs/arc/submission.json")) == submission
    edit(data_home / "submission_runs/arc/submission.json", t0=submission["t1"])
    seal(data_home / "submission_runs/arc")
    problems = verify_folder(data_home / "submission_runs/arc").problems
    assert problems == ["submission.json is not what the predictions give"]


def test_the_challenges_that_a_lock_answers_are_packaged(data_home):
    flip = Pair([[1, 2], [3, 4]], [[4, 3], [2, 1]])
    tasks = {f"t{n}": Task(f"t{n}", (flip, flip), (flip,)) for n in range(6)}
    rows = [sample.model_dump(mode="json") for sample in arc_samples(tasks, "arc_grid")]
    write_jsonl(data_home / "evalsets/arc.jsonl", [{"evalset_version": "1", "scorer": "arc_grid"}, *rows])
    pair = {"input": [[1]], "output": [[2]]}
    write_json(data_home / "data/challenges.json", {"c1": {"train": [pair], "test": [{"input": [[3]]}]}})
    keys = {"eval.evalset": "arc", "eval.submission_split": "all", "generate.max_prompt_tokens": 128}

    run("arc", **keys, **{"eval.challenges": str(data_home / "data/challenges.json")})

    assert read(data_home, "lock.json", "arc")["config"]["eval"]["challenges"] == "data/challenges.json"
    assert read(data_home, "eval_summary.json", "arc")["challenges"]["n_items"] == 1
    made = package("arc")
    assert "challenges/challenges.json" in made.files
    (data_home / "data/challenges.json").unlink()
    assert verify_package(made.path).problems == []
