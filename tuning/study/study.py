"""A study on disk: its folder, Optuna's storage in it, and a view of both that anyone can read.

workspace/studies/NAME/
    storage.json  which Optuna storage is the one truth about trials, see storage.py
    journal.log   that storage, unless another was chosen
    space.yaml    the search space with its base config, fully resolved
    summary.json  how the last sweep went: time, workers, steps
    driver.lock   held by the sweep that runs
    stop          there while the sweep is asked to stop
    trials/NNN/   one run directory a trial
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podium.core.config import load_yaml
from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.paths import check_name, study_dir, workspace
from tuning.search.load import parse_space
from tuning.search.space import SearchSpace
from tuning.study.storage import has_storage, open_storage
from tuning.study.trial import FED_FROM, TrialView, best_of, front, trial_row, trial_view

# Of a study: how many trials were told what to draw, how many are another study's, and which one that is.
ENQUEUED, FED, WARM_START = "n_enqueued", "n_fed", "warm_start"
LIMIT = "limit"  # how many trials it was last told to have


@dataclass(frozen=True)
class StudyView:
    """A study as it stands on disk."""

    name: str
    space: SearchSpace
    dir: Path
    trials: list[TrialView] = field(repr=False)
    summary: dict[str, Any] = field(repr=False)  # how the last sweep went; empty before its end
    data: dict[str, str] = field(repr=False)  # hashes of what it trains and scores on
    warm_start: str | None = None  # the study that it began with
    limit: int | None = None  # how many trials it was last told to have

    def best(self) -> TrialView:
        """The complete trial with the best value; of several objectives, the first counts, and the others where it is
        equal; then the first trial. Raises UsageError when none is complete."""
        best = best_of(self.trials)
        if best is None:
            raise UsageError(f"study {self.name!r} has no complete trial; run more: podium sweep --resume {self.name}")
        return best

    def front(self) -> list[TrialView]:
        """The complete trials that no other beats in every objective; with one objective, the best."""
        return front(self.trials)

    def trial(self, number: int) -> TrialView:
        """Raises UsageError for a number that the study does not have."""
        for trial in self.trials:
            if trial.number == number:
                return trial
        first = self.trials[0].number if self.trials else 0
        raise UsageError(f"study {self.name!r} has no trial {number}; it has {len(self.trials)}, from {first}")

    def frame(self) -> Any:
        """A pandas frame with a row a trial: what became of it, its values by config key, its last metrics."""
        import pandas

        rows = [trial_row(trial) for trial in self.trials]
        flat = [
            {**row, **row.pop("overrides"), **row.pop("metrics"), "mutations": len(row["mutations"])} for row in rows
        ]
        return pandas.DataFrame(flat).set_index("trial") if flat else pandas.DataFrame()

    @property
    def command(self) -> str:
        """What a person types to go on with it."""
        return f"podium sweep --resume {self.name}"


def study_names() -> list[str]:
    return sorted(path.parent.name for path in (workspace() / "studies").glob("*/space.yaml"))


def load_study(name: str) -> StudyView:
    """Read a study. Raises UsageError, naming the known ones, when there is none of that name."""
    return study_view(open_storage(existing(name)))


def existing(name: str) -> Path:
    """The folder of a study that is there. Raises UsageError."""
    folder = study_dir(check_name(name, "study"))
    if not (folder / "space.yaml").is_file() or not has_storage(folder):
        known = ", ".join(study_names()) or "none yet; `podium sweep SPACE` makes one"
        raise UsageError(f"study {name!r} not found in {folder.parent}; known: {known}")
    return folder


def load_study_space(folder: Path) -> SearchSpace:
    path = folder / "space.yaml"
    return parse_space(load_yaml(path), str(path))


def study_view(study: Any) -> StudyView:
    """An Optuna study, with what its folder says, as it stands now."""
    folder = study_dir(study.study_name)
    space = load_study_space(folder)
    summary = folder / "summary.json"
    return StudyView(
        name=study.study_name,
        space=space,
        dir=folder,
        trials=[trial_view(trial, space, folder) for trial in asked_trials(study)],
        summary=read_json(summary) if summary.is_file() else {},
        data=study.user_attrs.get("data", {}),
        warm_start=study.user_attrs.get(WARM_START),
        limit=study.user_attrs.get(LIMIT),
    )


def asked_trials(study: Any) -> list[Any]:
    """Optuna's trials in order, less those that are enqueued and not begun, and those of another study."""
    import optuna

    trials = study.get_trials(deepcopy=False)
    waiting = optuna.trial.TrialState.WAITING
    return [trial for trial in trials if trial.state is not waiting and FED_FROM not in trial.user_attrs]


def n_enqueued(study: Any) -> int:
    """How many trials were told what to draw before there were any."""
    return int(study.user_attrs.get(ENQUEUED, 0))


def first_number(study: Any) -> int:
    """The number of the study's first own trial: not 0 where it was fed with those of another."""
    return int(study.user_attrs.get(FED, 0))
