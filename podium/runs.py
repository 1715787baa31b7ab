"""Find runs by name: trials, submissions, run folders and predictions files, with their predictions and scores."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from eval.leaderboard import Entry, read_standing
from eval.sets.sources import PredictionSource, prediction_source
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json
from podium.core.paths import check_name, home, portable, submission_dir
from podium.core.run_files import MANIFEST, PREDICTIONS, SCORECARD, SUMMARY
from podium.core.states import State
from podium.core.wording import counted
from tuning.study.study import load_study, study_names


def find_predictions(name: str, evalset: str | None = None, scorer: str | None = None) -> PredictionSource:
    """The predictions of `name`: a predictions file, a run folder, a trial (STUDY/N) or a submission.

    Without `evalset` or `scorer`, those of the run are used, see `prediction_source`.

    Raises:
        UsageError: nothing has that name, it has no predictions, or they are for another evalset.
    """
    path, note = Path(name), ""
    if not path.is_file():
        folder, note = _run_folder(name)
        path = folder / PREDICTIONS
        if not path.is_file():
            raise UsageError(f"{name}: {folder} has no {PREDICTIONS}; `podium predict --run {folder}` makes one")
    return prediction_source(path, label=name, evalset=evalset, scorer=scorer, note=note)


def find_entries(folders: Iterable[Path] = ()) -> tuple[list[Entry], list[str]]:
    """The leaderboard entries of every complete trial, every complete submission, and the given run folders.

    The second value says, one line each, which runs were left out and why.

    Raises:
        UsageError: a given folder has no valid scorecard.
    """
    left_out: list[str] = []
    given = (_folder_entry(portable(folder), "run", folder) for folder in folders)
    return [*_trial_entries(left_out), *_submission_entries(left_out), *given], left_out


def _run_folder(name: str) -> tuple[Path, str]:
    """The folder of a run, and a warning for whoever reads its scores."""
    study, slash, number = name.rpartition("/")
    if Path(name).is_dir():
        return Path(name), ""
    if slash and number.isdigit():
        trial = load_study(study).trial(int(number))
        if trial.state is State.COMPLETE:
            return trial.dir, ""
        return (
            trial.dir,
            f"{name} is {trial.state}: its predictions are those of its newest report, at step {trial.step}",
        )
    if not slash and submission_dir(check_name(name, "submission")).is_dir():
        return submission_dir(name), ""
    raise UsageError(f"{name!r} is not a predictions file, a run folder, STUDY/N or a submission; check the name")


def _trial_entries(left_out: list[str]) -> Iterator[Entry]:
    for study in study_names():
        try:
            trials = load_study(study).trials
        except PodiumError as error:
            left_out.append(str(error))
            continue
        complete = [trial for trial in trials if trial.state is State.COMPLETE]
        for trial in complete:
            try:
                yield _folder_entry(f"{study}/{trial.number}", "trial", trial.dir)
            except PodiumError as error:
                left_out.append(str(error))
        if others := len(trials) - len(complete):
            left_out.append(f"{counted(others, 'trial')} of {study} that did not complete")


def _submission_entries(left_out: list[str]) -> Iterator[Entry]:
    """One entry for each split that a submission was scored on."""
    for manifest in sorted((home() / "submission_runs").glob(f"*/{MANIFEST}")):
        name, path = manifest.parent.name, manifest.with_name(SUMMARY)
        try:
            state = read_json(manifest)["state"]
            if state != State.COMPLETE:
                left_out.append(f"submission {name}, which is {state}")
                continue
            for split, values in read_json(path)["splits"].items():
                yield Entry(name, "submission", read_standing(values, f"{path}: {split}"))
        except PodiumError as error:
            left_out.append(str(error))


def _folder_entry(label: str, kind: str, folder: Path) -> Entry:
    path = folder / SCORECARD
    return Entry(label, kind, read_standing(read_json(path), str(path)))
