"""The steps that the cells of the notebook call, in their order. An error is one line, as on the command line."""

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from podium.core import run_files
from podium.core.clock import MonotonicClock
from podium.core.duration import format_duration
from podium.core.errors import PodiumError, UsageError
from podium.core.files import write_bytes, write_parts
from podium.core.paths import submission_dir
from podium.core.records import read_record
from podium.core.yaml_text import to_yaml
from podium.submission import evidence
from podium.submission.attempt import Attempt
from podium.submission.claim import held
from podium.submission.dry_run import ITEMS, dry_run
from podium.submission.kaggle.bootstrap import Refused, inputs, working
from podium.submission.kaggle.exported import EXPORT, Export
from podium.submission.kaggle.inputs import Placed, locate
from podium.submission.kaggle.machine import check
from podium.submission.lock import Lock, read_lock
from podium.submission.packaging.layout import zip_parts
from podium.submission.packaging.members import chunks_of
from podium.submission.preflight import Preflight
from podium.submission.session import Session
from podium.submission.unlabelled import find_unlabelled
from trainer.programs.library import ProgramLibrary

P = ParamSpec("P")
R = TypeVar("R")
TEST_ITEMS = 5
# Kaggle sets it when it runs a code competition's notebook on the hidden test set.
RERUN = "KAGGLE_IS_COMPETITION_RERUN"


def in_one_line(step: Callable[P, R]) -> Callable[P, R]:
    """Raise a PodiumError as Refused, which a notebook shows without a traceback."""

    @functools.wraps(step)
    def wrapped(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return step(*arguments, **options)
        except PodiumError as error:
            raise Refused(str(error)) from None

    return wrapped


@in_one_line
def opened(bundle: Path, began_s: float) -> "Run":
    """The run of a bundle. `began_s`: when the notebook began, by `time.monotonic()`; set-up counts against the budget.

    Raises:
        Refused: lock and export do not belong together.
    """
    export = read_record(Export, bundle / EXPORT)
    out = submission_dir(export.name)
    out.mkdir(parents=True, exist_ok=True)
    write_bytes(out / run_files.LOCK, (bundle / run_files.LOCK).read_bytes())
    write_bytes(out / EXPORT, (bundle / EXPORT).read_bytes())
    lock = read_lock(export.name)
    if lock.lock_id != export.lock_id:
        raise UsageError(f"{bundle}: its lock is not the one that was exported; export again")
    if os.environ.get(RERUN):
        print("this is the competition's own run, on its hidden test set; it belongs to the same attempt")
    return Run(lock, export, began_s)


class Run:
    """The one run of an exported lock. With TEST_MODE nothing after the smoke run does anything."""

    def __init__(self, lock: Lock, export: Export, began_s: float) -> None:
        self.lock, self.export, self.library = lock, export, ProgramLibrary()
        self._began = replace(MonotonicClock().moment(), monotonic_s=began_s)
        self._placed: Placed | None = None
        self._test_mode = False
        self._session: Session | None = None
        self._open = contextlib.ExitStack()

    @in_one_line
    def show_config(self) -> None:
        """Print the config of the lock, and the budget."""
        budget = self.lock.budget
        print(
            f"submission {self.lock.name}: trial {self.lock.trial} of study {self.lock.study}, lock {self.lock.lock_id}"
        )
        whole, reserve = format_duration(budget.time_budget_s), format_duration(budget.reserve_s)
        print(f"budget: {budget.profile}, {whole} with a reserve of {reserve}")
        print(to_yaml(self.lock.config))

    @in_one_line
    def read_secrets(self) -> None:
        """Put HF_TOKEN of the notebook's secrets into the environment, if the model has to be downloaded."""
        if not self.export.internet:
            print("no internet, so no secret is needed")
            return
        try:
            from kaggle_secrets import UserSecretsClient  # type: ignore[import-not-found]

            os.environ["HF_TOKEN"] = UserSecretsClient().get_secret("HF_TOKEN")
            print("HF_TOKEN: read from the secrets")
        except ImportError:
            print("HF_TOKEN: this is no Kaggle notebook, so there are no secrets")
        except Exception as error:  # noqa: BLE001 Kaggle's client raises its own errors; the model may need no token
            print(f"HF_TOKEN: not among the secrets ({type(error).__name__}); only a gated model needs it")

    @in_one_line
    def locate_inputs(self) -> None:
        """Find model, tokenizer and test file below the inputs. Raises Refused, naming what is missing."""
        self._placed = locate(self.lock, self.export, inputs())
        for line in self._placed.lines:
            print(line)

    @in_one_line
    def check_machine(self) -> None:
        """Compute on every device. Raises Refused unless it is the accelerator that was asked for."""
        print(check(self.export))

    @in_one_line
    def build_trainset(self) -> None:
        """Read the trainset as the trainer does, and compare it with the lock."""
        trainset = self.library.trainset(self.library.resolve(self.lock.run_config(), lambda: ()))
        cut = f"{trainset.n_truncated} cut, {trainset.n_dropped} left out"
        print(f"trainset: {trainset.name}, {trainset.n_examples} examples; {cut}")

    @in_one_line
    def smoke(self, test_mode: bool = False) -> None:
        """Every check of a submission, 2 steps and some answers in a scratch folder, and a projection."""
        self._test_mode = test_mode
        n = TEST_ITEMS if test_mode else ITEMS
        found = dry_run(self.lock.name, test=self._test, accept=self.export.accept, items=n)
        for name, line in found.checks.items():
            print(f"{name}: {line}")
        parts = ("setup", found.setup_s), ("training", found.training_s), ("answers at most", found.answers_s)
        shown = ", ".join(f"{what} {format_duration(seconds)}" for what, seconds in parts)
        print(f"projection for this machine: {format_duration(found.total_s)} ({shown})")
        print(f"budget: {format_duration(found.budget_s)} with a reserve of {format_duration(found.reserve_s)}")
        if test_mode:
            print(f"TEST_MODE: {n} items were answered in a scratch folder; nothing is claimed, and no cell below runs")

    @in_one_line
    def train(self) -> None:
        """Claim the run, and train until the last step or the deadline."""
        if self._skipped():
            return
        with self._evidence_if_it_fails():
            session = self._begin()
            with session.logged():
                session.train()

    @in_one_line
    def predict(self) -> None:
        """Answer every item."""
        if not self._skipped():
            with self._evidence_if_it_fails(), self._running.logged(goes_on=True):
                self._running.predict()

    @in_one_line
    def score(self) -> None:
        """Score the answers and write the summary, or write the competition's file."""
        if self._skipped():
            return
        with self._evidence_if_it_fails():
            with self._running.logged(goes_on=True):
                self._running.score()
            self._running.complete()
            self._open.close()
        for name in (run_files.SUBMISSION, run_files.SUBMISSION_CSV):  # where Kaggle looks for it
            if (self._out / name).is_file():
                shutil.copy(self._out / name, working() / name)
                print(f"{working() / name}: for the competition")

    @in_one_line
    def pack(self) -> Path | None:
        """Zip the evidence into the output, and return the zip."""
        return None if self._skipped() else self._pack()

    @property
    def _out(self) -> Path:
        return submission_dir(self.lock.name)

    @property
    def _test(self) -> str | None:
        return None if self._placed is None else self._placed.test

    @property
    def _running(self) -> Session:
        if self._session is None:
            raise UsageError("the run was not begun; run all cells from the first to the last")
        return self._session

    def _skipped(self) -> bool:
        if self._test_mode:
            print("TEST_MODE: not run")
        return self._test_mode

    def _begin(self) -> Session:
        """Check everything, claim the run as the attempt that was exported, and open it."""
        if self._placed is None:
            raise UsageError("the inputs were not located; run all cells from the first to the last")
        clock, accept = MonotonicClock(), self.export.accept
        file = None if self._test is None else find_unlabelled(self._test)
        checks = Preflight(self.lock, self.lock.run_config(), self.library, file, accept=accept).run()
        attempt = Attempt.begin(
            self._out, self.lock.lock_id, clock, self._began, file, checks.accepted, claim_id=self.export.attempt_id
        )
        self._open.enter_context(held(self._out))
        self._session = Session(self.lock, checks, attempt, opened_s=self._began.monotonic_s)
        self._open.enter_context(self._session.opened())
        return self._session

    @contextlib.contextmanager
    def _evidence_if_it_fails(self) -> Iterator[None]:
        """If the block fails, end the attempt with what was recorded, and leave the evidence that there is."""
        try:
            yield
        except BaseException as error:  # noqa: BLE001 recorded, and raised as what ended the run
            ended = self._ended(error)
            if self._session is not None:
                with contextlib.suppress(OSError, PodiumError):  # a full disk; the run's own error is raised
                    self._pack()
            raise ended from None

    def _ended(self, error: BaseException) -> BaseException:
        """Close the attempt as if `error` had been raised in its block, and return what that makes of it."""
        try:
            with self._open:
                raise error
        except BaseException as ended:  # noqa: BLE001 returned, and raised by the caller
            return ended

    def _pack(self) -> Path:
        names = sorted({*evidence.files_of(self._out), run_files.MANIFEST, EXPORT, run_files.CLAIM})
        there = [name for name in names if (self._out / name).is_file()]
        path = working() / f"podium_{self.lock.name}_evidence.zip"
        write_parts(path, zip_parts((f"{self.lock.name}/{name}", chunks_of(self._out / name)) for name in there))
        print(f"evidence: {path}, {len(there)} files; `podium kaggle collect` takes it")
        return path
