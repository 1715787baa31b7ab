"""The progress display of a sweep: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eval.scorecard import metric_text
from podium.core.clock import Clock, MonotonicClock
from podium.core.duration import format_duration
from podium.core.progress import Activity, heard_by
from podium.core.states import State
from podium.core.wording import counted
from tuning.search.labels import params_label
from tuning.study.activity import activity_of
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
        self._last_end_s = 0.0
        self._n_earlier = self.n_ended

    def hear(self, event: Event) -> None:
        self.trials[event.trial.number] = event.trial
        if event.kind == "finished":
            self._last_end_s = self.elapsed_s

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
        """`about 3m left`, by the trials that this sweep has ended and by its time budget; None before the first.

        It counts down from the end of a trial; one that takes longer than those before it has no estimate at the end.
        """
        done, rest = self.n_ended - self._n_earlier, self.total - self.n_ended
        expected_s = self._last_end_s * (1 + rest / done) - self.elapsed_s if done > 0 else 0.0
        left_s = [expected_s] if expected_s > 0 else []
        left_s += [] if self._budget_s is None else [max(0.0, self._budget_s - self.elapsed_s)]
        return f"about {format_duration(min(left_s))} left" if left_s and rest > 0 else None

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
        so_far = f"best {_value(best)} (trial {best.number})" if best else "none complete yet"
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
    table.add_column("parameters")  # the only one that gives way, since rich narrows the columns that may wrap
    now_s, activities = time.time(), []
    for trial in rows(progress):
        doing = activity_of(trial.dir, now_s) if trial.state is State.RUNNING else None
        activities += [f"trial {trial.number}: {doing}"] if doing else []
        state = Text(shown_state(trial, doing), style=COLOURS.get(trial.state, "red"))
        table.add_row(
            str(trial.number),
            state,
            str(trial.step),
            newest_score(trial),
            Text(what(trial), overflow="ellipsis", no_wrap=True),
        )
    best = progress.best()
    ended = f"{progress.n_ended} of {counted(progress.total, 'trial')}"
    line = f"{progress.study or 'starting'}: {ended}, {format_duration(progress.elapsed_s)}"
    if left := progress.left():
        line += f", {left}"
    if best:
        line += f"; best so far {_value(best)}, trial {best.number}"
    activities += [progress.activity.what] if progress.activity else []
    if stopping:
        line += "\n[yellow]stopping: trials end at their next step, with a checkpoint; Ctrl-C again quits at once[/]"
    bar = Table.grid()  # the bar alone would not end its line
    bar.add_row(ProgressBar(total=progress.total, completed=progress.n_ended, width=60))
    return Group(bar, *([table] if progress.trials else []), line, *map(Text, activities))


def shown_state(trial: TrialView, doing: str | None) -> str:
    """The state, or the first word of what its worker is doing, such as compiling; `starting` until it is known."""
    if doing:
        return doing.split()[0]
    return "starting" if trial.state is State.RUNNING and not trial.step else str(trial.state)


def rows(progress: Progress) -> list[TrialView]:
    """The running trials, and the newest of the others up to ROWS in all."""
    trials = [trial for _, trial in sorted(progress.trials.items())]
    running = [trial for trial in trials if trial.state is State.RUNNING]
    others = [trial for trial in trials if trial.state is not State.RUNNING]
    shown = others[-max(0, ROWS - len(running)) :] if len(running) < ROWS else []
    return sorted([*shown, *running], key=lambda trial: trial.number)


def newest_score(trial: TrialView) -> str:
    return metric_text(trial.space.metric, trial.reports[max(trial.reports)] if trial.reports else None)


def _value(trial: TrialView) -> str:
    return metric_text(trial.space.metric, trial.value)


def what(trial: TrialView) -> str:
    """The sampled values, and the reason if the trial went wrong."""
    label = "the base config" if trial.baseline else params_label(trial.newest_overrides)
    wrong = trial.state in (State.DIVERGED, State.FAILED, State.OOM, State.INFEASIBLE)
    return f"{label}  {trial.reason}" if wrong and trial.reason else label
