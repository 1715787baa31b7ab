"""A submission on an ARC set: the competition's own file is part of the evidence."""

import json
import zipfile

from eval.arc.samples import arc_samples
from eval.arc.submission import check_submission
from eval.arc.tasks import Pair, Task
from podium.core.files import write_jsonl
from podium.submission.package import package
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
    with zipfile.ZipFile(package("arc").path) as archive:
        assert json.loads(archive.read("arc/submission.json")) == submission
