import json
import shutil

import pytest

from tests.submission.small import flip, tree


@pytest.fixture
def done(home, finished):
    """A home with the complete submission `done`."""
    for name in ("submission_runs", "evalsets", "trainsets"):
        shutil.copytree(finished / name, home / name)
    return home


def test_a_name_a_folder_and_a_package(done, podium):
    before = tree(done)
    named = podium("verify", "done")
    assert [check["passed"] for check in json.loads(podium("verify", "done", "--json").out)["checks"]] == [True] * 7
    assert (named.code, named.err) == (0, "")
    assert [line.split()[1] for line in named.out.splitlines()[:-1]] == [
        *("lock:", "manifest:", "files:", "schemas:", "facts:", "score:", "log:")
    ]
    assert named.out.splitlines()[-1] == "done verifies: 7 checks"
    folder = podium("verify", "submission_runs/done")
    assert folder.code == 0
    assert podium("verify", "--run-dir", "submission_runs/done").out == folder.out
    assert tree(done) == before
    made = podium("package", "done").out.splitlines()[0].removeprefix("package: ")
    zipped = podium("verify", made)
    assert (zipped.code, zipped.err) == (0, "")
    assert zipped.out.splitlines()[-1] == f"{made} verifies: 11 checks"


def test_a_changed_file_is_one_line_and_exit_code_1(done, podium):
    flip(done / "submission_runs/done/predictions.jsonl")
    checked = podium("verify", "done")
    assert (checked.code, checked.err) == (1, "error: done does not verify: 1 fault in its checks\n")
    assert checked.out.splitlines()[-1].startswith("FAILED  files: predictions.jsonl differs (expected ")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((), "no submission is given; give its NAME, or --run-dir with the folder of its run"),
        (("done", "--run-dir", "x"), "NAME 'done' and --run-dir x are both given; give its NAME, "
         "or --run-dir with the folder of its run"),
        (("gone",), "{home}/submission_runs/gone is not a folder of a run; give the NAME of a submission, its folder "
         "or a package"),
        (("done", "--allowed-signers", "x"), "--allowed-signers with 'done': only a package is signed; give the zip"),
        (("gone.zip/..x",), "submission name 'gone.zip/..x': use 1 to 100 letters, digits, '.', '_' or '-', not "
         "starting with '.' or '-'"),
    ],
)  # fmt: skip
def test_what_cannot_be_verified(done, podium, arguments, line):
    before = tree(done)
    refused = podium("verify", *arguments)
    assert (refused.code, refused.out, refused.err) == (2, "", f"error: {line.format(home=done)}\n")
    assert tree(done) == before


def test_a_folder_in_place_of_a_name(done, podium, tmp_path_factory):
    """submit and package take the folder of a run, wherever it is."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "kept"
    shutil.copytree(done / "submission_runs/done", elsewhere)
    made = podium("package", "done").out
    assert podium("package", "--run-dir", str(elsewhere)).out == made
    shutil.rmtree(done / "submission_runs/done")
    again = podium("submit", "--run-dir", str(elsewhere))
    assert (again.code, again.out) == (2, "")
    assert again.err.startswith("error: submission 'kept' was already run: claimed ")
    refused = podium("package", "--run-dir", str(done))
    assert (refused.code, refused.err) == (
        2,
        f"error: --run-dir {done}: it has no lock.json; give the folder that `podium promote --as NAME` made\n",
    )


def test_a_lock_elsewhere_is_run_where_it_is(done, podium, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "done"
    elsewhere.mkdir()
    shutil.move(done / "submission_runs/done/lock.json", elsewhere)
    shutil.rmtree(done / "submission_runs/done")
    run = podium("submit", "--run-dir", str(elsewhere))
    assert run.code == 0, run.err
    assert (elsewhere / "run_manifest.json").is_file()
    assert not (done / "submission_runs/done").exists()
    assert podium("verify", "--run-dir", str(elsewhere)).code == 0
