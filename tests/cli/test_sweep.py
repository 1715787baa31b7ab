import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from podium.cli import main as cli
from podium.cli.sweep import summary_lines
from podium.cli.sweep_display import PlainLines, Progress, live_view, rows
from podium.core.clock import FakeClock
from podium.core.progress import doing
from podium.core.states import State
from tests.console import ROOT
from tests.tuning.workers.test_worker import ABOUT, write_data
from tuning.study.activity import activity_of, told_in
from tuning.study.events import Event
from tuning.study.study import StudyView, load_study
from tuning.study.trial import TrialView

CUTS = {
    "dev/n_answers": 40.0,
    "dev/n_ended_by_length": 3.0,
    "dev/n_prompts_cut": 1.0,
    "train/n_truncated": 2.0,
    "train/n_dropped": 5.0,
}
# `main`, and then whether the driver has imported JAX.
CODE = """
import sys
from podium.cli.main import main
try:
    main()
finally:
    print("driver imported jax:", "jax" in sys.modules, flush=True)
"""
# Sweeps have the analytic worker, for a test of how a sweep ends and not of what its workers do.
ANALYTIC = """
from functools import partial
import tuning
from tests.tuning.analytic import AnalyticWorker
tuning.sweep, tuning.resume = (partial(run, worker=AnalyticWorker) for run in (tuning.sweep, tuning.resume))
"""


def start(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # A group of its own, as a shell gives it: Ctrl-C reaches every process in it.
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
    )


@pytest.mark.parametrize(
    ("number", "end", "code", "n_trials"),
    [
        pytest.param(signal.SIGINT, os.killpg, CODE, 30, id="Ctrl-C", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, os.kill, CODE, 30, id="SIGTERM", marks=pytest.mark.slow),
        # Its trials take no time: there are so many that the signal comes before the last.
        pytest.param(
            signal.SIGTERM, os.kill, ANALYTIC + CODE, 1000, id="SIGTERM, analytic worker", marks=pytest.mark.slow
        ),
    ],
)
@pytest.mark.usefixtures("store")
def test_a_sweep_on_ray_is_interrupted_and_goes_on(home, number, end, code, n_trials):
    """Ray, two workers, Ctrl-C or a SIGTERM, and a resume in another process; the slow ones train the tiny model."""
    write_data(home)
    sweep = start(code, "sweep", "space.yaml", "--backend", "ray", "--trials", str(n_trials))
    lines = []
    for line in sweep.stdout:
        lines.append(line)
        if line.startswith(f"[1/{n_trials}]"):
            end(sweep.pid, number)
            break
    rest, errors = sweep.communicate()
    lines += rest.splitlines(keepends=True)
    assert sweep.returncode == 128 + number, errors
    assert "SIGTERM received" not in errors  # Ray's own words, with a stack
    assert lines[0] == f"study sums-001: {n_trials} trials\n"
    assert "stopped: interrupted; resume with: podium sweep space.yaml --resume sums-001\n" in lines
    assert "driver imported jax: False\n" in lines
    stopped = load_study("sums-001")
    begun = len(stopped.trials)
    assert 1 <= begun < n_trials
    assert State.RUNNING not in {trial.state for trial in stopped.trials}

    resume = start(code, "sweep", "--resume", "sums-001", "--backend", "inline", "--trials", str(begun + 1))
    printed, errors = resume.communicate()
    assert resume.returncode == 0, errors
    study = load_study("sums-001")
    assert len(study.trials) == begun + 1
    assert {trial.state for trial in study.trials} <= {State.COMPLETE, State.PRUNED}
    assert all(trial.mlflow_run_id for trial in study.trials)
    assert f"best: trial {study.best().number}, dev/answer_correctness" in printed
    assert "on 1 worker (inline), busy" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: no search space given; name a file, like search_spaces/tiny.yaml, or a study to --resume"),
        (["absent.yaml"], "error: file 'absent.yaml' not found"),
        (["--resume", "absent"], "error: study 'absent' not found in"),
        (["space.yaml", "--resume", ""], "error: study name '': use 1 to 100 letters"),
        (["space.yaml", "--resume", "a", "--name", "b"], "error: --resume a and --name b are both given"),
        (
            ["space.yaml", "--trials", "0"],
            "error: --trials '0': must be greater than or equal to 1",
        ),
        (["space.yaml", "--time-budget", "soon"], "error: duration 'soon': must be positive"),
        (["space.yaml", "--backend", "slurm"], "error: backend 'slurm', must be one of auto, ray, inline"),
        (["space.yaml", "--name", "a b"], "error: study name 'a b': use 1 to 100 letters"),
        (["overlapping.yaml"], "error: evalset 'seen' and trainset 'sums' share 1 prompt (x)"),
        (["space.yaml", "--address", "nowhere"], "error: --address nowhere: must be auto or HOST:PORT"),
        (["space.yaml", "--optuna-storage", "redis"], "error: Optuna storage 'redis': must be one of journal, sqlite"),
        (["space.yaml", "--warm-start", "absent"], "error: study 'absent' not found in"),
        (["--resume", "a", "--warm-start", "b"], "error: --resume a and --warm-start b are both given"),
        (["space.yaml", "--patience", "0"], "error: --patience '0': must be"),
        (["space.yaml", "--workers", "0"], "error: --workers '0': must be"),
        (["space.yaml", "--time-budget", "0s"], "error: duration '0s': must be positive"),
        (["space.yaml", "--quota", "0"], "error: duration '0': must be positive"),
        (["space.yaml", "--target", "nan"], "error: target=nan, must be a finite number"),
    ],
)
def test_wrong_usage_is_one_line_and_two_and_nothing_is_written(home, capsys, arguments, message):
    write_data(home)
    (home / "seen.jsonl").write_text(json.dumps({"id": "x", "prompt": "1+2=?", "expected_answer": "3", **ABOUT}))
    overlapping = (home / "space.yaml").read_text() + "overrides: {eval.evalset: seen.jsonl}\n"
    (home / "overlapping.yaml").write_text(overlapping)
    with pytest.raises(SystemExit) as caught:
        cli.main(["sweep", *arguments])
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert printed.startswith(message)
    assert len(printed.splitlines()) == 1
    assert not (home / "workspace").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--address", "127.0.0.1:1"], "error: no Ray cluster answers at 127.0.0.1:1 (Connection refused); start one"),
        (
            ["--optuna-storage", "sqlite:////absent/x.db"],
            "error: cannot create /absent/x.db: No such file or directory; its folder must exist and be writable",
        ),
    ],
)
def test_what_cannot_be_reached_is_one_line_and_one_and_leaves_nothing(home, capsys, arguments, message):
    write_data(home)
    with pytest.raises(SystemExit) as caught:
        cli.main(["sweep", "space.yaml", "--backend", "ray" if "--address" in arguments else "inline", *arguments])
    printed = capsys.readouterr().err
    assert (caught.value.code, len(printed.splitlines())) == (1, 1)
    assert printed.startswith(message)
    assert not (home / "workspace").exists()


@pytest.fixture
def trial(tmp_path, home):
    write_data(home)
    from tuning.search.load import load_space

    space = load_space("space.yaml")

    def make(number: int, state: State, value: float | None = None, step: int = 3, **known) -> TrialView:
        return TrialView(
            number=number,
            state=state,
            overrides={"train.learning_rate": 0.00123},
            value=value,
            step=step,
            reports={} if value is None else {step: value},
            dir=tmp_path / "studies" / "sums-001" / "trials" / f"{number:03d}",
            space=space,
            **known,
        )

    return make


def test_plain_lines(trial, capsys):
    clock = FakeClock()
    show = PlainLines(Progress(3, clock=clock))
    show(Event("started", trial(0, State.RUNNING)))
    clock.advance(10)
    show(Event("reported", trial(0, State.RUNNING, 12.5)))  # too soon after the last line
    clock.advance(40)
    show(Event("reported", trial(0, State.RUNNING, 12.5)))
    show(Event("finished", trial(0, State.COMPLETE, 62.199, step=6, baseline=True)))
    show(Event("finished", trial(1, State.DIVERGED, reason="diverged at step 2: loss nan")))
    assert capsys.readouterr().out.splitlines() == [
        "study sums-001: 3 trials",
        "  trial 0 at step 3: 12.50",
        "[1/3] trial 0 complete at step 6: 62.19  the base config  (best 62.19 (trial 0), 50.0 s)",
        "[2/3] trial 1 diverged at step 3: -  lr=0.00123  diverged at step 2: loss nan  (best 62.19 (trial 0), 50.0 s)",
    ]


def test_a_line_says_how_many_answers_ended_by_length(trial, capsys):
    show = PlainLines(Progress(2, clock=FakeClock()))
    show(Event("finished", trial(0, State.COMPLETE, 12.5, metrics=CUTS)))
    show(Event("finished", trial(1, State.COMPLETE, 25.0, metrics={**CUTS, "dev/n_ended_by_length": 0.0})))
    assert [line.partition("  ")[0] for line in capsys.readouterr().out.splitlines()[1:]] == [
        "[1/2] trial 0 complete at step 3: 12.50 (3 of 40 ended by length)",
        "[2/2] trial 1 complete at step 3: 25.00",
    ]


def summary_of(*trials: TrialView) -> list[str]:
    view = StudyView("sums-001", trials[0].space, trials[0].dir.parents[1], list(trials), summary={}, data={})
    return summary_lines(view)


def test_the_summary_says_what_was_cut_of_the_best_trial(trial):
    worse, best = trial(0, State.COMPLETE, 12.5), trial(1, State.COMPLETE, 25.0, metrics=CUTS)
    cut = (
        "its answers: 3 of 40 ended by length, 1 prompt lost their beginning; its trainset: 2 examples cut, 5 left out"
    )
    lines = summary_of(worse, best)
    assert lines[lines.index(next(line for line in lines if line.startswith("best: trial 1"))) + 1] == cut
    assert not any("ended by length" in line for line in summary_of(worse))  # made before the counts were kept


def test_the_summary_has_what_a_worker_noted_of_the_trainset(trial):
    best = trial(0, State.COMPLETE, 25.0)
    assert not any(line.startswith("note:") for line in summary_of(best))
    best.dir.mkdir(parents=True)
    for text, lines in (('{"trainset": {"notes": ["folded"]}}', ["note: folded"]), ('{"trainset"', [])):
        (best.dir / "provenance.json").write_text(text)
        assert [line for line in summary_of(best) if line.startswith("note:")] == lines


SAME = (
    "warning: nothing was distinguished: dev/answer_correctness is 12.5 in all 3 trials that have a score, so trial 0"
)


def test_the_summary_says_that_nothing_was_distinguished(trial):
    same = [trial(number, State.COMPLETE, 12.5) for number in range(2)]
    early, stopped = (replace(trial(2, state, 12.5), value=None) for state in (State.PRUNED, State.STOPPED))
    assert summary_of(*same, early)[-1].startswith(SAME)
    others = [
        (*same, trial(2, State.COMPLETE, 12.0)),
        (*same, replace(early, reports={3: 10.0})),  # it was worse
        (same[0],),
        (same[0], trial(1, State.DIVERGED), stopped),
    ]
    for trials in others:
        assert not any("distinguished" in line for line in summary_of(*trials))


def test_the_table_shows_what_runs_and_the_newest_of_the_others(trial):
    from rich.console import Console

    progress = Progress(40, clock=FakeClock())
    for number in range(20):
        progress.hear(Event("finished", trial(number, State.COMPLETE, float(number))))
    progress.hear(Event("started", trial(5, State.RUNNING)))
    assert [shown.number for shown in rows(progress)] == [5, *range(9, 20)]
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(live_view(progress, stopping=True))
    text = console.export_text()
    assert "sums-001: 19 of 40 trials" in text
    assert "best so far 19.00, trial 19" in text
    assert "Ctrl-C again quits at once" in text
    assert "lr=0.00123" in text
    assert text.splitlines()[1].split() == ["trial", "state", "step", "score", "parameters"]  # below the bar


def test_the_table_says_what_is_starting_and_the_time_left(trial, monkeypatch):
    from rich.console import Console

    def shown(progress, width=60):
        console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
        console.print(live_view(progress, stopping=False))
        return console.export_text().splitlines()

    clock = FakeClock()
    progress = Progress(3, clock=clock, budget_s=100.0)
    assert shown(progress)[1:] == ["starting: 0 of 3 trials, 0.0 s, about 1m 40s left"]
    progress.hear(Event("started", trial(0, State.RUNNING, step=0)))
    assert shown(progress)[2].split()[:4] == ["0", "starting", "0", "-"]
    folder = trial(0, State.RUNNING).dir
    folder.mkdir(parents=True)
    with told_in(folder), doing("training", 0, 3) as advance:
        advance(1)
        assert shown(progress)[2].split()[1] == "starting"  # for less than a second
        with doing("compiling train [8x48]"):
            assert activity_of(folder, time.time() + 90).startswith("compiling train [8x48], 1m 3")
            later = time.time() + 20
            monkeypatch.setattr("time.time", lambda: later)
            assert shown(progress)[2].split()[:4] == ["0", "compiling", "0", "-"]
            assert shown(progress, 40)[1].split() == ["trial", "state", "step", "score", "parame…"]
            assert shown(progress)[-1].startswith("trial 0: compiling train [8x48], ")
    assert shown(progress)[2].split()[1] == "starting"
    (folder / "activity.json").write_text('{"what": "compiling"')
    assert shown(progress)[2].split()[1] == "starting"  # the file is damaged
    clock.advance(20)
    progress.hear(Event("finished", trial(0, State.COMPLETE, 1.0)))
    assert progress.left() == "about 40.0 s left"  # two more trials like it
    clock.advance(15)
    assert progress.left() == "about 25.0 s left"  # it counts down
    clock.advance(55)
    assert progress.left() == "about 10.0 s left"  # of the budget
    assert Progress(3, clock=clock).left() is None


def test_best_follows_the_direction(trial):
    progress = Progress(2, clock=FakeClock())
    for number, value in enumerate((3.0, 1.0)):
        progress.hear(Event("finished", trial(number, State.COMPLETE, value)))
    assert progress.best().number == 0


def test_long_labels_leave_the_other_columns_of_the_live_table(trial):
    from rich.console import Console

    progress = Progress(3, clock=FakeClock())
    progress.hear(Event("finished", trial(0, State.FAILED, reason="the loss is not finite " * 5)))
    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(live_view(progress, stopping=False))
    heading, row = console.export_text().splitlines()[1:3]
    assert heading.split() == ["trial", "state", "step", "score", "parameters"]
    assert row.split()[:2] == ["0", "failed"] and row.rstrip().endswith("…")
