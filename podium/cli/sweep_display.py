"""The progress display of a sweep: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eval.scorecard import score_text
from podium.core.clock import Clock, MonotonicClock
from podium.core.duration import format_duration
from podium.core.progress import Activity, heard_by
from podium.core.states import State
from podium.core.wording import counted
from tuning.search.labels import params_label
from tuning.study.cuts import by_length
from tuning.study.trial import best_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from podium.cli.interrupts import Interrupts
    from tuning.study.events import Event, Listener
    from tuning.study.study import StudyView
    from tuning.study.trial import TrialView

ROWS = 12  # of the live table, which shows all running trials and the newest of the others
SILENCE_S = 30.0  # without a terminal, a report is printed if nothing was printed for this long
COLOURS = {State.RUNNING: "cyan", State.COMPLETE: "green", State.PRUNED: "yellow", State.STOPPED: "yellow"}


@contextmanager
def display(
    total: int, earlier: StudyView | None, interrupts: Interrupts, budget_s: float | None = None
) -> Iterator[Listener]:
    """A listener that displays the events it receives, until the context ends."""
    progress = Progress(total, earlier, budget_s=budget_s)
    if not sys.stdout.isatty():
        yield PlainLines(progress)
        return
    from rich.live import Live

    from podium.cli.terminal import console

    # With the inline backend the trials run in this process, and the table says what it does.
    live = Live(
        console=console(), get_renderable=lambda: live_view(progress, interrupts.requested()), refresh_per_second=4
    )
    with heard_by(progress.note), live:
        try:
            yield progress.hear
        except BaseException:
            live.transient = not progress.trials  # an error before the first trial needs no table
            raise


class Progress:
    """The state of a sweep: its trials by number."""

    def __init__(
        self,
        total: int,
        earlier: StudyView | None = None,
        clock: Clock | None = None,
        budget_s: float | None = None,
    ) -> None:
        self.total, self._budget_s = total, budget_s
        self.trials: dict[int, TrialView] = {trial.number: trial for trial in earlier.trials} if earlier else {}
        self.activity: Activity | None = None  # what this process itself does
        self._clock = clock or MonotonicClock()
        self._started_s = self._clock.now()
        self._n_earlier = self.n_ended

    def hear(self, event: Event) -> None:
        self.trials[event.trial.number] = event.trial

    def note(self, activity: Activity | None) -> None:
        self.activity = activity

    @property
    def study(self) -> str:
        """The study's name; empty before the first trial."""
        return next((trial.dir.parents[1].name for trial in list(self.trials.values())), "")

    @property
    def n_ended(self) -> int:
        return sum(trial.state not in (State.RUNNING, State.STOPPED) for trial in list(self.trials.values()))

    @property
    def elapsed_s(self) -> float:
        return self._clock.now() - self._started_s

    def left(self) -> str | None:
        """`about 3m left`, by the trials that this sweep has ended and by its time budget; None before the first."""
        done = self.n_ended - self._n_earlier
        left_s = [self.elapsed_s / done * (self.total - self.n_ended)] if done > 0 else []
        left_s += [] if self._budget_s is None else [self._budget_s - self.elapsed_s]
        return f"about {format_duration(max(0.0, min(left_s)))} left" if left_s and self.n_ended < self.total else None

    def best(self) -> TrialView | None:
        """The best complete trial so far."""
        return best_of(list(self.trials.values()))


class PlainLines:
    """One line per trial that ends, and a report now and then in between."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._printed_s = progress.elapsed_s
        self._named = False

    def __call__(self, event: Event) -> None:
        self._progress.hear(event)
        if not self._named:
            self._named = True
            self._print(f"study {self._progress.study}: {counted(self._progress.total, 'trial')}")
        if event.kind == "finished":
            self._print(self._ended(event.trial))
        elif event.kind == "reported" and self._progress.elapsed_s - self._printed_s > SILENCE_S:
            self._print(f"  trial {event.trial.number} at step {event.trial.step}: {newest_score(event.trial)}")

    def _ended(self, trial: TrialView) -> str:
        best = self._progress.best()
        so_far = f"best {score_text(best.value)} (trial {best.number})" if best else "none complete yet"
        count = f"[{self._progress.n_ended}/{self._progress.total}]"
        score = f"{trial.state} at step {trial.step}: {newest_score(trial)}"
        if cut := by_length(trial):
            score += f" ({cut})"
        elapsed = format_duration(self._progress.elapsed_s)
        note = f"; {trial.reason}" if trial.state is State.COMPLETE and trial.reason else ""  # such as a damaged file
        return f"{count} trial {trial.number} {score}  {what(trial)}  ({so_far}, {elapsed}){note}"

    def _print(self, line: str) -> None:
        print(line, flush=True)
        self._printed_s = self._progress.elapsed_s


def live_view(progress: Progress, stopping: bool) -> RenderableType:
    """A progress bar, the table of trials and the best trial so far."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold")
    for column in ("trial", "state", "step", "score"):
        table.add_column(column, justify="left" if column == "state" else "right", no_wrap=True)
    table.add_column("parameters")  # the only one that rich may make narrower
    for trial in rows(progress):
        state = f"[{COLOURS.get(trial.state, 'red')}]{shown_state(trial)}[/]"
        label = Text(what(trial), no_wrap=True, overflow="ellipsis")
        table.add_row(str(trial.number), state, str(trial.step), newest_score(trial), label)
    best = progress.best()
    ended = f"{progress.n_ended} of {counted(progress.total, 'trial')}"
    line = f"{progress.study or 'starting'}: {ended}, {format_duration(progress.elapsed_s)}"
    if left := progress.left():
        line += f", {left}"
    if best:
        line += f"; best so far {score_text(best.value)}, trial {best.number}"
    if progress.activity:
        line += f"\n{progress.activity.what}"
    if stopping:
        line += "\n[yellow]stopping: trials end at their next step, with a checkpoint; Ctrl-C again quits at once[/]"
    bar = Table.grid()  # the bar alone would not end its line
    bar.add_row(ProgressBar(total=progress.total, completed=progress.n_ended, width=60))
    return Group(bar, *([table] if progress.trials else []), line)


def shown_state(trial: TrialView) -> str:
    """The state; `starting` until the first report: a worker loads, compiles, and scores the untrained model."""
    return "starting" if trial.state is State.RUNNING and not trial.step else str(trial.state)


def rows(progress: Progress) -> list[TrialView]:
    """The running trials, and the newest of the others up to ROWS in all."""
    trials = [trial for _, trial in sorted(progress.trials.items())]
    running = [trial for trial in trials if trial.state is State.RUNNING]
    others = [trial for trial in trials if trial.state is not State.RUNNING]
    shown = others[-max(0, ROWS - len(running)) :] if len(running) < ROWS else []
    return sorted([*shown, *running], key=lambda trial: trial.number)


def newest_score(trial: TrialView) -> str:
    return score_text(trial.reports[max(trial.reports)]) if trial.reports else "-"


def what(trial: TrialView) -> str:
    """The sampled values, and the reason if the trial went wrong."""
    label = "the base config" if trial.baseline else params_label(trial.newest_overrides)
    wrong = trial.state in (State.DIVERGED, State.FAILED, State.OOM, State.INFEASIBLE)
    return f"{label}  {trial.reason}" if wrong and trial.reason else label
