"""An export is the claim: once, as it was chosen, and the same attempt if it was interrupted."""

import ast
import json
import re
import zipfile
from dataclasses import replace

import nbformat
import pytest

from podium.core.errors import PodiumError, UsageError
from podium.core.paths import shipped, submission_dir
from podium.submission.claim import claim_path, claim_run, read_claim
from podium.submission.kaggle import export as exporting
from podium.submission.kaggle.command import is_configured, pull_calls, push_calls, status_calls
from podium.submission.kaggle.export import export, notebook_file
from podium.submission.kaggle.exported import folder_of, read_export, slug
from podium.submission.kaggle.notebook import FILE_SHIPPED, example, notebook
from podium.submission.lock import read_lock, write_lock
from podium.submission.run_once import submit
from tests.core.test_quota import bin_folder  # noqa: F401 (a fixture: no `kaggle` on PATH)
from tests.submission import small
from tests.submission.kaggle.conftest import CHOICES
from tests.submission.small import tree


def test_it_is_the_claim(exported):
    claim = read_claim(submission_dir("one"))
    assert (claim.exported_to, claim.claim_id) == ("kaggle", exported.attempt_id)
    assert read_export("one") == exported
    before = tree(submission_dir("one"))
    message = f"was exported to Kaggle at {claim.claimed_at}, as attempt {exported.attempt_id}; a lock runs once"
    for again in (lambda: export("one", CHOICES), lambda: submit("one"), lambda: submit("one", resume=True)):
        with pytest.raises(UsageError, match=re.escape(message)):
            again()
    assert tree(submission_dir("one")) == before


def test_a_lock_that_ran_here_is_not_exported(done_home):
    with pytest.raises(UsageError, match="submission 'done' was already run: claimed"):
        export("done", CHOICES)
    assert not folder_of("done").exists()
    assert (done_home / "submission_runs/done").is_dir()


def test_what_it_writes(exported):
    folder = folder_of("one")
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {
        *("code/bundle.zip", "code/dataset-metadata.json", "code/podium_bootstrap.py"),
        *("notebook/kernel-metadata.json", "notebook/podium-one.ipynb"),
    }
    with zipfile.ZipFile(folder / "code/bundle.zip") as bundle:
        names = {name.removeprefix("bundle/") for name in bundle.namelist()}
        pinned = bundle.read("bundle/requirements-run.txt").decode()
    wanted = {"lock.json", "kaggle_export.json", "trainsets/small/traces.jsonl", "evalsets/small_v1.jsonl"}
    assert wanted | {"podium/submission/kaggle/steps.py", "trainer/loop.py"} <= names
    assert not [name for name in names if "claim" in name and name.endswith(".json")]
    assert "jax==" in pinned and "--hash=sha256:" in pinned
    assert [name for name in ("ray", "mlflow", "optuna") if f"\n{name}==" in pinned] == []
    assert exported.timeout_s == 43200


def test_equal_exports_give_equal_notebooks(exported):
    lock = read_lock("one")
    assert notebook(lock, exported) == notebook(lock, exported) == notebook_file(exported).read_text()
    nbformat.validate(nbformat.reads(notebook(lock, exported), as_version=4))


def test_every_step_of_the_notebook_is_a_call(exported):
    cells = nbformat.read(notebook_file(exported), as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert code[0] == "TEST_MODE = False"
    for source in code[2:]:
        (step,) = ast.parse(source).body
        assert isinstance(step, ast.Expr) and isinstance(step.value, ast.Call)
    text = "".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "1m 30s, projected from trial 3" in text  # the lock's own projection


def test_an_export_that_was_interrupted_is_written_again(locked, monkeypatch):
    def full(*_arguments):
        raise PodiumError("cannot write bundle.zip: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(exporting, "write_bundle", full)
        with pytest.raises(PodiumError, match="No space left"):
            export("one", CHOICES)
    assert claim_path(submission_dir("one")).exists() and not folder_of("one").exists()
    made = export("one", replace(CHOICES, owner="bob"))
    assert (made, made.owner) == (read_export("one"), "ann")  # the attempt that was claimed
    assert notebook_file(made).is_file()
    assert locked.exists()


def test_a_kill_right_after_the_claim_leaves_the_record(locked, monkeypatch):
    def killed(_self, _target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(exporting.Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            export("one", CHOICES)
    claim = read_claim(submission_dir("one"))
    made = export("one", CHOICES)
    assert made.attempt_id == claim.claim_id
    assert notebook_file(made).is_file() and locked.exists()


def test_a_claim_by_another_process_meanwhile_leaves_nothing_of_this_export(locked, monkeypatch):
    out = submission_dir("one")

    def claimed_meanwhile(name, contents):  # the last check before the claim
        claim_run(out, read_lock(name).lock_id)
        assert contents

    monkeypatch.setattr(exporting, "refuse_leaks", claimed_meanwhile)
    with pytest.raises(UsageError, match="was already run: claimed"):
        export("one", CHOICES)
    assert sorted(path.name for path in out.iterdir()) == ["claim.json", "lock.json"]
    assert not folder_of("one").exists() and locked.exists()


def test_a_token_in_the_data_is_not_exported(locked):
    traces = locked / "trainsets/small/manifest.json"
    values = json.loads(traces.read_text()) | {"recipe_version": "hf_" + "a" * 34}
    traces.write_text(json.dumps(values))
    write_lock(small.promotion(), "leaky")
    with pytest.raises(UsageError, match="must hold no secret and no home folder"):
        export("leaky", CHOICES)
    assert not claim_path(submission_dir("leaky")).exists()


WRONG = [
    ({"accelerator": None}, "budget.profile=local is no machine of Kaggle's; give --accelerator none"),
    ({"accelerator": "NvidiaTeslaP100"}, "accelerator 'NvidiaTeslaP100' is retired; Kaggle would run it on Nvidia"),
    ({"accelerator": "Abacus"}, "--accelerator 'Abacus', must be none or one of NvidiaL4"),
    ({"accelerator": "NvidiaL4"}, r"--accelerator NvidiaL4: the lock was planned for local \(no accelerator\)"),
    ({"owner": None}, "give --owner with your name on Kaggle"),
    ({"owner": "Ann Lee"}, "--owner 'Ann Lee', must be a name on Kaggle"),
    ({"python": "3.9"}, "--python '3.9', must be one of 3.11, 3.12, 3.13"),
    ({"datasets": ("mine",)}, "--dataset 'mine', must be OWNER/DATASET"),
    ({"models": ("google/gemma",)}, "--model 'google/gemma', must be OWNER/MODEL/FRAMEWORK/VARIATION/VERSION"),
    ({"clone": "https://example.org/a.git", "offline": True}, "--clone .* needs the internet, and --offline has none"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_wrong_choice_is_one_line_and_claims_nothing(locked, changes, message):
    before = tree(locked)
    with pytest.raises(UsageError, match=message) as raised:
        export("one", replace(CHOICES, **changes))
    assert "\n" not in str(raised.value)
    assert tree(locked) == before


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        ({"budget.profile": "kaggle-gpu-l4x4"}, {}, "a session of kaggle-gpu-l4x4 has no internet, so the packages"),
        ({"budget.profile": "kaggle-gpu-t4x2", "device.kind": "tpu"}, {}, "device.kind"),
    ],
)
def test_a_lock_for_an_accelerator(data_home, config, changes, message):
    with pytest.raises(UsageError, match=message):
        write_lock(small.promotion(**config), "two")
        export("two", replace(CHOICES, accelerator=None, **changes))
    assert not claim_path(submission_dir("two")).exists()
    assert data_home.exists()


def test_a_rule_of_the_competition_is_checked_before_the_claim(data_home):
    write_lock(small.promotion(**{"budget.competition": None}), "two")
    lock = read_lock("two")
    assert lock.accepted is None
    rules = {"budget.competition": "google-tunix-hackathon"}
    with pytest.raises(UsageError, match=r"model\.source='tiny', compared by its name"):
        write_lock(small.promotion(**rules), "three")
    assert data_home.exists()


def test_an_edited_notebook_is_not_pushed(exported):
    assert [call.arguments[:2] for call in push_calls(exported)] == [
        ("datasets", "create"),
        ("datasets", "status"),
        ("kernels", "push"),
    ]
    file = notebook_file(exported)
    file.write_text(file.read_text().replace("TEST_MODE = False", "TEST_MODE = True"))
    with pytest.raises(UsageError, match="was edited after the export, so its run would not be the one that was"):
        push_calls(exported)
    for path in sorted(folder_of("one").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder_of("one").rmdir()
    assert push_calls(export("one", CHOICES))  # as the message says


@pytest.mark.usefixtures("bin_folder")
def test_without_the_command_it_is_said(exported, tmp_path):
    assert "is not installed" in (is_configured() or "")
    assert str(status_calls(exported)[0]) == "kaggle kernels status ann/podium-one"
    (pull,) = pull_calls(exported, tmp_path)
    assert str(pull).startswith(f"kaggle kernels output ann/podium-one -p {tmp_path} --file-pattern")


def test_slugs_are_those_that_kaggle_makes(monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "ann")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    from slugify import slugify

    for title in ("podium one", "Podium My_Run.2", "podium -- x", "podium a  b"):
        assert slug(title) == slugify(title)


def test_the_metadata_are_what_the_kaggle_package_takes(exported, monkeypatch):
    """Its own checks, up to the request that it would send."""
    monkeypatch.setenv("KAGGLE_USERNAME", "ann")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    from kaggle.api.kaggle_api_extended import KaggleApi

    sent = []

    class Kernels:
        def save_kernel(self, request):
            sent.append(request)

    class Client:
        kernels = type("", (), {"kernels_api_client": Kernels()})()

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    api = KaggleApi()
    monkeypatch.setattr(api, "build_kaggle_client", Client)
    api.kernels_push(str(folder_of("one") / "notebook"), timeout="600")
    (request,) = sent
    assert (request.slug, request.language, request.kernel_type) == ("ann/podium-one", "python", "notebook")
    assert request.dataset_data_sources == ["ann/podium-code-one"]
    assert (request.enable_gpu, request.enable_tpu, request.is_private) == (False, False, True)
    assert len(json.loads(request.text)["cells"]) > 20
    assert exported.slug == "podium-one"


def test_the_committed_notebook_is_what_is_generated():
    committed = (shipped() / FILE_SHIPPED).read_text()
    assert committed == example(), "run python -m podium.submission.kaggle.notebook"
    nbformat.validate(nbformat.reads(committed, as_version=4))
