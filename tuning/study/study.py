"""A study on disk: its folder, its Optuna storage, and a read-only view of both.

workspace/studies/NAME/
    storage.json  which Optuna storage holds the trials, see storage.py
    journal.log   that storage, unless another was chosen
    space.yaml    the search space with its base config, fully resolved
    summary.json  how the last sweep went: time, workers, steps
    driver.lock   held by the sweep that runs
    stop          exists while the sweep is asked to stop
    trials/NNN/   the run folder of each trial

files.py has the names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podium.core.config import load_yaml
from podium.core.errors import UsageError
from podium.core.paths import check_name, study_dir, workspace
from tuning.search.load import parse_space
from tuning.search.space import SearchSpace
from tuning.study.files import SPACE_FILE, TRIALS_DIR
from tuning.study.storage import LIMIT, open_storage, readable
from tuning.study.summary import read_summary
from tuning.study.trial import TRANSFERRED_FROM, TrialView, best_of, front, trial_as_dict, trial_view

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from pandas import DataFrame

# Optuna user attributes of a study.
DATA = "data"  # the hashes of what it trains and scores on
SPACE = "space"  # the text of space.yaml, from which `podium repair` writes it anew
N_ENQUEUED = "n_enqueued"  # how many of its trials were enqueued with given values before the first began
N_TRANSFERRED, WARM_START = "n_fed", "warm_start"  # how many trials come from another study, and that study's name


@dataclass(frozen=True)
class StudyView:
    """A study as it stands on disk."""

    name: str
    space: SearchSpace
    dir: Path
    trials: list[TrialView] = field(repr=False)
    summary: dict[str, Any] = field(repr=False)  # how the last sweep went; empty before its end, or if it is damaged
    data: dict[str, str] = field(repr=False)  # hashes of what it trains and scores on
    warm_start: str | None = None  # the older study that it was warm-started from
    limit: int | None = None  # how many trials the last sweep was to reach
    damage: str | None = None  # a file that is damaged, although the study can be read without it

    def best(self) -> TrialView:
        """The complete trial with the best value of the first objective; ties are broken by the other objectives, then
        by the lower number. Raises UsageError if no trial is complete."""
        best = best_of(self.trials)
        if best is None:
            raise UsageError(f"study {self.name!r} has no complete trial; run more: podium sweep --resume {self.name}")
        return best

    def front(self) -> list[TrialView]:
        """The Pareto front: the complete trials that no other dominates. With one objective, the best."""
        return front(self.trials)

    def trial(self, number: int) -> TrialView:
        """The trial of that number. Raises UsageError if there is none."""
        for trial in self.trials:
            if trial.number == number:
                return trial
        known = f"trials {self.trials[0].number} to {self.trials[-1].number}" if self.trials else "none"
        raise UsageError(f"study {self.name!r} has no trial {number}; it has {known}")

    def frame(self) -> DataFrame:
        """A pandas frame with one row per trial: state, score, values by config key, last metrics."""
        import pandas

        rows = [trial_as_dict(trial) for trial in self.trials]
        flat = [
            {**row, **row.pop("overrides"), **row.pop("metrics"), "mutations": len(row["mutations"])} for row in rows
        ]
        return pandas.DataFrame(flat).set_index("trial") if flat else pandas.DataFrame()

    @property
    def command(self) -> str:
        """The command that resumes the study."""
        return f"podium sweep --resume {self.name}"


def study_names() -> list[str]:
    """The studies of this workspace, those that cannot be read included."""
    return sorted(folder.name for folder in (workspace() / "studies").glob("*") if is_study(folder))


def is_study(folder: Path) -> bool:
    """Whether the folder holds a study; a study that lost its space.yaml still has trials."""
    return (folder / SPACE_FILE).is_file() or (folder / TRIALS_DIR).is_dir()


def load_study(name: str) -> StudyView:
    """Read a study. Raises UsageError, which lists the studies that exist, if there is none of that name."""
    return study_view(open_storage(find_study(name)))


def find_study(name: str) -> Path:
    """The folder of the study of that name. Raises UsageError, which lists the studies that exist, if there is none."""
    folder = study_dir(check_name(name, "study"))
    if not is_study(folder):
        known = ", ".join(study_names()) or "none yet; `podium sweep SPACE` creates one"
        raise UsageError(f"study {name!r} not found in {folder.parent}; known: {known}")
    return folder


def load_study_space(folder: Path) -> SearchSpace:
    """The study's search space. Raises UsageError, which names the file, if it is missing or damaged."""
    path = folder / SPACE_FILE
    try:
        return parse_space(load_yaml(path), str(path))
    except UsageError as error:
        raise UsageError(f"{error}; `podium repair {folder.name}` writes it anew") from error


def study_view(study: Study) -> StudyView:
    """A view of an Optuna study and its folder, as they are now."""
    folder = study_dir(study.study_name)
    space, (summary, damage) = load_study_space(folder), read_summary(folder)
    with readable(folder):
        return StudyView(
            name=study.study_name,
            space=space,
            dir=folder,
            trials=[trial_view(trial, space, folder) for trial in started_trials(study)],
            summary=summary,
            data=study.user_attrs.get(DATA, {}),
            warm_start=study.user_attrs.get(WARM_START),
            limit=study.user_attrs.get(LIMIT),
            damage=damage,
        )


def started_trials(study: Study) -> list[FrozenTrial]:
    """The study's trials in order, without those that wait in Optuna's queue and those of another study."""
    import optuna

    trials = study.get_trials(deepcopy=False)
    waiting = optuna.trial.TrialState.WAITING
    return [trial for trial in trials if trial.state is not waiting and TRANSFERRED_FROM not in trial.user_attrs]


def enqueued_count(study: Study) -> int:
    """How many trials were enqueued with given values before the first began."""
    return int(study.user_attrs.get(N_ENQUEUED, 0))


def first_number(study: Study) -> int:
    """The number of the study's first own trial: those taken over from another study come before it."""
    return int(study.user_attrs.get(N_TRANSFERRED, 0))
