"""What survives a death between two writes, what a sweep is told to remember, and how trials end that do not by
themselves."""

import errno
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import optuna
import pytest

import podium
from podium.cli.interrupts import Interrupts
from podium.cli.sweep import _finish as finish_command
from podium.core.clock import Deadline, FakeClock
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_jsonl
from podium.core.paths import study_dir
from podium.core.states import State
from podium.core.temporary import ENDING
from tests.tuning import killing
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.conftest import fates
from tuning.backends import inline
from tuning.bridge.searcher import OptunaBridge
from tuning.study.create import create
from tuning.study.locks import WorkersLock
from tuning.study.study import load_study
from tuning.tracking import Tracker, store
from tuning.workers import failures
from tuning.workers.failures import CrashReporter

TAME = {"train.learning_rate": {"type": "float", "low": 1e-3, "high": 1e-2}}


class Killed(BaseException):
    """As a kill would, it passes every handler."""


@pytest.fixture
def killed(run_sweep, monkeypatch):
    """A sweep that ends, without another write, instead of the n-th call of a method of the bridge."""

    def run(method: str, nth: int) -> None:
        calls, real = count(1), getattr(OptunaBridge, method)

        def die(*arguments, **options):
            if next(calls) == nth:
                raise Killed
            return real(*arguments, **options)

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(OptunaBridge, method, die)
            patch.setattr(OptunaBridge, "stop_rest", lambda _: None)
            run_sweep(name="killed")

    return run


@pytest.mark.parametrize(
    ("method", "nth"),
    [
        ("_finish", 7),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("_draw", 6), ("_record", 12), ("_tell", 8))),
    ],
)
def test_what_was_reported_and_not_told_is_heard_again(run_sweep, killed, method, nth):
    """A trial that was to be pruned does not go on, one that was complete is not trained again."""
    undisturbed = run_sweep(name="undisturbed")
    killed(method, nth)
    resumed = run_sweep(resume="killed")
    assert fates(resumed) == fates(undisturbed)
    assert [trial.overrides for trial in resumed.trials] == [trial.overrides for trial in undisturbed.trials]
    assert [trial.reports for trial in resumed.trials] == [trial.reports for trial in undisturbed.trials]
    assert [set(trial.metrics) for trial in resumed.trials] == [set(trial.metrics) for trial in undisturbed.trials]
    advanced = [
        sorted((value["trial"], value["step"]) for _, value in read_jsonl(study.dir / "calls.jsonl") if is_work(value))
        for study in (resumed, undisturbed)
    ]
    assert advanced[0] == advanced[1]


def test_a_death_between_a_state_and_its_telling_leaves_the_trial_running(run_sweep, monkeypatch):
    """Who looks at a study that runs may see it like that, too."""
    undisturbed = run_sweep(name="undisturbed")
    tell = optuna.study.Study.tell

    def die(study, trial, values=None, **options):
        if values is not None:
            raise Killed
        return tell(study, trial, **options)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(optuna.study.Study, "tell", die)
        patch.setattr(OptunaBridge, "stop_rest", lambda _: None)
        run_sweep(name="killed")
    last = load_study("killed").trials[-1]
    assert (last.state, last.value) == (State.RUNNING, None)
    assert fates(run_sweep(resume="killed")) == fates(undisturbed)


def is_work(call: dict) -> bool:
    return call["call"] == "advance"


def test_a_study_that_ended_without_saying_so_is_settled_by_a_resume(run_sweep, home, monkeypatch):
    def die(*_):
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Tracker, "finish", die)
        run_sweep({"trials": 3}, name="killed")
    assert load_study("killed").summary == {}
    settled = run_sweep({"trials": 3}, resume="killed")
    assert (settled.summary["backend"], sum(settled.summary["states"].values())) == ("none", 3)
    client = store.open_client(f"sqlite:///{home / 'workspace' / 'mlflow.db'}")
    runs = store.find_runs(client, store.all_experiments(client), {"study": "killed"})
    assert sorted(run.data.tags["kind"] for run in runs) == ["study", "trial", "trial", "trial"]
    assert "RUNNING" not in {run.info.status for run in runs}


def test_a_resume_goes_on_to_the_number_of_trials_last_told(run_sweep):
    stopped = run_sweep({"trials": 3}, trials=6, ask=("stop-2",), name="told")
    assert (len(stopped.trials), stopped.limit) == (3, 6)
    assert len(run_sweep({"trials": 3}, resume="told").trials) == 6
    assert len(run_sweep({"trials": 8}, resume="told").trials) == 8  # the space says something else than it did


def test_a_name_is_free_again_when_its_sweep_was_killed_before_it_had_a_study(run_sweep, space):
    create(space, "halfway", {})
    (study_dir("halfway") / "space.yaml").unlink()
    with pytest.raises(UsageError, match="study 'halfway' not found"):
        load_study("halfway")
    assert len(run_sweep({"trials": 2}, name="halfway").trials) == 2


def test_a_resume_removes_the_temporary_files_of_a_killed_sweep(run_sweep):
    study = run_sweep({"trials": 1})
    left = [folder / f".half.json.1f2e3d4c{ENDING}" for folder in (study.dir, study.trial(0).dir)]
    for path in left:
        path.write_text("{")
    run_sweep({"trials": 2}, resume=study.name)
    assert not any(path.exists() for path in left)


def test_a_sweep_waits_for_the_workers_of_an_earlier_one(tmp_path):
    clock = FakeClock()
    held = [WorkersLock(tmp_path).share(), WorkersLock(tmp_path).share()]
    waited = lambda: clock.advance(10)  # noqa: E731
    with pytest.raises(PodiumError, match="workers of an earlier sweep still run after 30 s; end those processes"):
        WorkersLock(tmp_path).wait_for_none(Deadline.after(30, clock=clock), waited)
    WorkersLock(tmp_path).wait_for_none(Deadline.after(30, clock=clock), held.clear)


def test_a_quota_is_time_at_the_rate_of_the_profile(run_sweep, home):
    metered = {"overrides": {"budget.profile": "kaggle-l4x4"}}
    study = run_sweep(metered, quota_s=1e-9)
    assert (study.trials, study.summary["stopped"]) == ([], "the quota is used up: it allows 5e-10 s of wall time")
    assert len(run_sweep({**metered, "trials": 2}, quota_s=3600.0).trials) == 2
    with pytest.raises(UsageError, match=r"quota of 60 s: budget\.profile='local' has no quota; limit the time"):
        run_sweep(quota_s=60.0)
    assert len(list((home / "workspace" / "studies").iterdir())) == 2


def test_a_trial_whose_time_is_up_ends_at_its_next_step(run_sweep, monkeypatch):
    waits = []

    class Timer:
        """The second trial's time is up at once, that of the others never."""

        def __init__(self, seconds, function):
            waits.append(seconds)
            self.start = function if len(waits) == 2 else self.cancel

        def cancel(self):
            pass

    monkeypatch.setattr(inline.threading, "Timer", Timer)
    study = run_sweep({"trials": 3, "parameters": TAME, "scheduler": "none", "trial_timeout_s": 7.5})
    assert [trial.state for trial in study.trials] == [State.COMPLETE, State.FAILED, State.COMPLETE]
    assert study.trial(1).reason == "it ran for longer than trial_timeout_s=7.5"
    assert waits == [7.5] * 3


class NoRoom(AnalyticWorker):
    def save(self, slot, path):
        if slot == 1 and self.steps[slot] > 10 and (self.folder / "full").exists():
            raise PodiumError(f"cannot write {path}: {os.strerror(errno.ENOSPC)}; nothing was changed")
        super().save(slot, path)


def test_a_full_disk_stops_the_sweep_and_is_no_trial_s_fault(run_sweep):
    def fill(event):
        (event.trial.dir.parents[1] / "full").touch()

    asked = {"trials": 3, "parameters": TAME, "scheduler": "none"}
    study = run_sweep(asked, worker=NoRoom, listeners=[fill])
    assert [trial.state for trial in study.trials] == [State.COMPLETE, State.STOPPED]
    assert study.summary["stopped"].endswith("pointer.json: No space left on device; free some space")
    with pytest.raises(PodiumError) as error:
        finish_command(study, Interrupts(), None)
    assert str(error.value) == (
        f"study 'small-001': cannot write {study.trial(1).dir}/pointer.json: No space left on device; free some space; "
        "nothing that finished is lost, resume with: podium sweep --resume small-001"
    )
    (study.dir / "full").unlink()
    resumed = run_sweep(asked, worker=NoRoom, resume=study.name)
    assert [trial.state for trial in resumed.trials] == [State.COMPLETE] * 3


@pytest.mark.parametrize("name", ["report.json", "summary.json"])
def test_a_disk_that_fills_up_where_the_driver_writes_is_one_line(run_sweep, monkeypatch, name):
    """The real writing of files, on a disk that has no room for this one."""
    real = Path.replace

    def full(path, target):
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        if name == "report.json":  # a worker's: it asks the driver to stop
            study = run_sweep({"trials": 3, "parameters": TAME}, name="full")
            assert study.summary["failed"] and study.summary["stopped"].endswith("left on device; free some space")
        else:
            with pytest.raises(PodiumError, match=r"^study 'full': cannot write .*/summary.json: No space left on "):
                run_sweep({"trials": 3, "parameters": TAME}, name="full")
    resumed = run_sweep({"trials": 3, "parameters": TAME}, resume="full")
    assert [trial.state for trial in resumed.trials] == [State.COMPLETE] * 3


def test_a_disk_that_fills_up_under_the_journal_is_one_line_that_names_it(run_sweep, monkeypatch):
    """In the middle of a trial, until there is room again."""
    real, written = os.fsync, []

    def full(descriptor):
        written.append(Path(f"/proc/self/fd/{descriptor}").readlink().name == "journal.log")
        if written[-1] and sum(written) > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    asked = {"trials": 3, "parameters": TAME}
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(PodiumError) as error:
            run_sweep(asked, name="full")
    assert str(error.value) == (
        f"study 'full': cannot write {study_dir('full')}/journal.log: No space left on device; free some space; "
        "nothing that finished is lost, resume with: podium sweep --resume full"
    )
    resumed = run_sweep(asked, resume="full")
    assert [trial.state for trial in resumed.trials] == [State.COMPLETE] * 3


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import ctypes; print('first'); ctypes.string_at(0)", "crashed: Segmentation fault"),
        ("import os; print('first', flush=True); os.abort()", "crashed: Aborted"),
    ],
)
def test_a_crash_leaves_its_cause_and_its_last_lines(tmp_path, code, cause):
    log = tmp_path / "workers" / "0.log"
    keep = (
        f"from pathlib import Path; from tuning.workers.failures import keep_output; keep_output(Path({str(log)!r})); "
    )
    subprocess.run([sys.executable, "-c", keep + "print('before')"], check=True)
    reporter = CrashReporter.start(log)
    assert subprocess.run([sys.executable, "-c", keep + code]).returncode < 0
    assert reporter.cause("the actor died\n\tpid: 12\n") == f"(process 12) {cause}"
    assert any("Fatal Python error" in line for line in reporter.log_tail())
    assert "before" not in reporter.log_tail()


def test_a_death_without_a_word_is_told_by_what_is_left(monkeypatch):
    reporter = CrashReporter.start(CrashReporter().log)
    assert reporter.cause("pid: 3 ... Worker exits with an exit code 4.") == "(process 3) exited with code 4"
    assert reporter.cause("pid: 3 connection error").startswith("(process 3) was killed (SIGKILL) or exited")
    assert reporter.cause("The actor died because its node has died.") == "was lost with its node"
    monkeypatch.setattr(failures, "oom_kill_count", lambda: reporter.oom_kills + 1)
    assert "killed by the kernel, because memory ran out" in reporter.cause("pid: 3 connection error")


def test_a_killed_sweep_goes_on_as_if_nothing_had_happened(run_sweep, write_space, home):
    """One instant of many; test_kill_driver.py has 20, with real training."""
    undisturbed = run_sweep(name="undisturbed")
    write_space()
    code = """
from tests.tuning.analytic import AnalyticWorker
from tuning import sweep

sweep("space.yaml", name="killed", backend="inline", worker=AnalyticWorker)
"""
    root = str(Path(podium.__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", code], cwd=home, env={**os.environ, "PYTHONPATH": root})
    log = study_dir("killed") / "calls.jsonl"
    far = killing.wait_until(lambda: log.is_file() and len(log.read_bytes().splitlines()) > 15)
    process.kill()
    process.wait()
    assert far and len(load_study("killed").trials) < 12
    resumed = run_sweep(resume="killed")
    assert killing.proposals(resumed) == killing.proposals(undisturbed)
