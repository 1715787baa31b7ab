import pytest

from podium.core.private_paths import private_paths_in, without_private_paths

ROOT, USER = "/ro" + "ot", "/ho" + "me/ann"  # in parts, so that this file names nobody's folder


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"{USER}/models/gemma is missing", "~/models/gemma is missing"),
        (f"in '{USER}'", "in '~'"),
        (f"{ROOT}/.cache/x", "~/.cache/x"),
        ("C:" + "\\Users\\ann\\x", "~\\x"),
        ("/Us" + "ers/ann/x", "~/x"),
        ("/data/home/x and /kaggle/input", "/data/home/x and /kaggle/input"),
        ("square /rooted things", "square /rooted things"),
    ],
)
def test_a_home_folder_becomes_a_tilde(home, text, shown):  # noqa: ARG001
    assert without_private_paths(text) == shown


def test_the_folders_of_this_machine_become_relative(home):
    assert without_private_paths(f"cannot write {home}/workspace/x: full") == "cannot write x: full"
    assert without_private_paths(f"{home}/submission_runs/one") == "submission_runs/one"


def test_home_folders_are_found_once():
    assert private_paths_in(f"{USER}/a {USER}/b {ROOT}/c") == sorted({USER, ROOT})
