"""Rehearse the run of a lock on Kaggle: the same notebook, in a pretend session. Nothing is claimed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from podium.core.errors import UsageError
from podium.core.files import link_or_copy
from podium.core.hashing import sha256_file
from podium.core.temporary import temporary_folder
from podium.submission.claim import UnlabelledFile
from podium.submission.evidence import chosen_scorer
from podium.submission.kaggle.export import CODE, NOTEBOOK, Choices, write_rehearsal
from podium.submission.kaggle.exported import Export, folder_of
from podium.submission.lock import Lock, read_lock
from podium.submission.rehearsal import child
from podium.submission.rehearsal.handed_in import judge
from podium.submission.rehearsal.outcome import Limits, Outcome, Verdict
from podium.submission.rehearsal.session import run_session
from podium.submission.unlabelled import read_unlabelled
from trainer.model.sources import find_files

TESTS = "competition"  # the folder of the test file below the inputs


@dataclass(frozen=True)
class Setting:
    """What a rehearsal is given beside the lock. `test`: the file that --test names, as it is here; `hidden`: the one
    that takes its place in the competition's own run; `sample`: the form of the file that is handed in."""

    choices: Choices
    limits: Limits | None = None
    test: Path | None = None
    hidden: Path | None = None
    sample: Path | None = None
    attached: tuple[Path, ...] = ()
    test_mode: bool = False


def rehearse(name: str, setting: Setting) -> list[Outcome]:
    """Execute the notebook of submission `name`; with a hidden test file also as the competition does it.

    Returns the outcome of each session; the later ones only if the earlier succeeded.

    Raises:
        UsageError: there is no lock, or a file is missing.
        PodiumError: the rehearsal itself could not be started.
    """
    lock = read_lock(name)
    _check_nbclient()
    outcomes = [_session(lock, setting, setting.test, "session")]
    if setting.hidden is not None and outcomes[0].verdict is Verdict.SUCCEEDED:
        outcomes.append(_session(lock, setting, setting.hidden, "rerun", is_rerun=True))
    return outcomes


def _session(lock: Lock, setting: Setting, test: Path | None, kind: str, is_rerun: bool = False) -> Outcome:
    target = folder_of(lock.name).with_name(f"{lock.name}-rehearsal") / kind
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(target) as folder:
        export = write_rehearsal(folder / "export", lock, setting.choices)
        _mount(folder, lock, export, setting, test)
        limits = setting.limits or Limits(time_s=export.timeout_s)
        ended = run_session(folder, limits, is_rerun)
        found = (ended.verdict, ended.line) if ended.verdict else _judged(folder, lock, test, setting)
        _keep(folder, lock, target)
    return Outcome(*(found or (Verdict.SUCCEEDED, ended.line)), target, ended.isolation)


def _mount(folder: Path, lock: Lock, export: Export, setting: Setting, test: Path | None) -> None:
    """Lay out what Kaggle mounts: code and data, model and tokenizer apart, the test file, whatever is attached."""
    inputs = folder / child.INPUT
    _link_tree(folder / "export" / CODE, inputs / export.code)
    if lock.run_config().model.source != "tiny":
        model, tokenizer = find_files(lock.run_config().model)
        _link_tree(model, inputs / "models" / "model")
        _link_tree(tokenizer, inputs / "models" / "tokenizer")
    for path in setting.attached:
        _link_tree(path, inputs / path.name)
    if test is not None:
        (inputs / TESTS).mkdir()
        shutil.copy(test, inputs / TESTS / Path(export.test or test.name).name)
    for name in (child.WORKING, child.SCRATCH):
        (folder / name).mkdir()
    text = next((folder / "export" / NOTEBOOK).glob("*.ipynb")).read_text(encoding="utf-8")
    if setting.test_mode:
        text = text.replace("TEST_MODE = False", "TEST_MODE = True")
    (folder / child.NOTEBOOK).write_text(text, encoding="utf-8")


def _link_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=link_or_copy)


def _judged(folder: Path, lock: Lock, test: Path | None, setting: Setting) -> tuple[Verdict, str] | None:
    if test is None or setting.test_mode:
        return None
    file = UnlabelledFile(path=str(test.resolve()), sha256=sha256_file(test))
    ids = [item.id for item in read_unlabelled(file, chosen_scorer(lock.run_config()))]
    return judge(folder / child.WORKING, ids, setting.sample)


def _keep(folder: Path, lock: Lock, target: Path) -> None:
    """Keep the executed notebook and what the run left, and nothing else."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    working = folder / child.WORKING
    for path in (folder / child.EXECUTED, *working.glob("podium_*_evidence.zip"), *working.glob("submission.*")):
        if path.is_file():
            shutil.copy(path, target / path.name)
    run_dir = working / "submission_runs" / lock.name
    if run_dir.is_dir():
        shutil.copytree(run_dir, target / lock.name, ignore=shutil.ignore_patterns("checkpoints"))


def _check_nbclient() -> None:
    try:
        import ipykernel  # noqa: F401
        import nbclient  # noqa: F401
    except ImportError as error:
        raise UsageError(f"a rehearsal needs {error.name}; `make setup EXTRAS=kaggle` installs it") from error
