"""run_manifest.json: the state of a submission run, and the hash of each of its other files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from podium.core import run_files
from podium.core.errors import UsageError
from podium.core.files import read_json, to_json, write_json
from podium.core.hashing import sha256_json
from podium.core.records import Record, parse_record
from podium.core.states import State
from podium.submission.claim import Claim, UnlabelledFile, refuse_claimed
from podium.submission.journal import Entry, Journal
from podium.submission.kaggle_facts import kaggle_facts
from podium.submission.lock import Lock
from podium.submission.verify import SHORT, refuse_gaps, without_nulls

UNSCORED: Literal["unscored"] = "unscored"  # predicted unlabelled items, which have no score
WITH_EVIDENCE = (State.COMPLETE, UNSCORED)


class _RunState(Record):
    """What every version of `run_manifest.json` has."""

    name: str
    lock_id: str
    claim_id: str | None = None
    state: State | Literal["unscored"]
    claimed_at: str  # UTC, ISO 8601
    time_budget_s: float
    steps_locked: int
    interruptions: int = 0  # how often the attempt was resumed
    test: UnlabelledFile | None = None  # the unlabelled items, if there were any
    # Set when the run has ended:
    ended_at: str | None = None
    elapsed_s: float | None = None  # from the start of the command; includes start-up, compilation and interruptions
    reason: str | None = None  # why the run is not complete
    resumable: bool = False  # whether `podium submit NAME --resume` continues it
    # Set when the run is complete:
    steps_trained: int | None = None
    truncated: bool | None = None  # the deadline came before the last locked step
    files: dict[str, str] | None = None  # sha256 by name

    @model_validator(mode="after")
    def _has_the_fields_of_its_state(self) -> Self:
        complete = ("steps_trained", "truncated", "files")
        needed = ("ended_at", "elapsed_s", *(complete if self.has_evidence else ("reason",)))
        missing = [name for name in needed if getattr(self, name) is None]
        if self.state is not State.RUNNING and missing:
            raise ValueError(f"a run that is {self.state} needs {', '.join(missing)}")
        return self

    @property
    def has_evidence(self) -> bool:
        """Whether the run came to its end, with a score or with predictions that have none."""
        return self.state in WITH_EVIDENCE


class RunManifestV1(_RunState):
    """`run_manifest.json` as earlier versions of Podium wrote it."""

    manifest_version: Literal["1"] = "1"


class Environment(Record):
    """What the run ran on, from provenance.json."""

    platform: str  # such as Linux-6.18-x86_64-with-glibc2.36
    accelerator: str  # such as gpu (4 x NVIDIA L4)
    python: str
    packages: dict[str, str]  # version by name


class RunManifest(_RunState):
    """`run_manifest.json`: the state of the run, and what it was. eval_summary.json has the scores.

    A key that does not apply is absent and named in `not_applicable`; paths are relative to the folder of this file.
    """

    manifest_version: Literal["2"] = "2"
    run_version: str  # the same as name, as other tools of this layout call it
    model_id: str
    dataset: str
    eval_set: str | None = None  # unless unlabelled items were answered
    config_path: str
    command: str
    commit_sha: str | None = None  # absent outside a git checkout; the lock has the hash of the code itself
    timestamp: str  # UTC, ISO 8601: when the run was claimed
    tuning_job_id: str  # the study
    trial_id: int
    # What only Kaggle knows, see kaggle_facts.py:
    kaggle_notebook_url: str | None = None
    kaggle_notebook_version: str | None = None
    kaggle_run_id: str | None = None
    notes: str | None = None  # what was out of the ordinary
    environment: Environment | None = None  # unless the run ended before the trainer began
    durations_s: dict[str, float]  # by phase, interruptions included
    interrupted_s: float = Field(ge=0)  # how long the interruptions were together
    not_applicable: tuple[str, ...]
    evidence_id: str  # `content_id`: stands for this file, and by its hashes for all others

    def content_id(self) -> str:
        """sha256 over the canonical JSON of everything but `evidence_id`."""
        return sha256_json(without_nulls(self.model_dump(mode="json", exclude={"evidence_id"})))

    @model_validator(mode="after")
    def _names_what_does_not_apply(self) -> Self:
        absent = [name for name in MAY_NOT_APPLY if getattr(self, name) is None]
        if list(self.not_applicable) != absent:
            raise ValueError(f"not_applicable={list(self.not_applicable)}, must name the absent keys {absent}")
        if self.has_evidence and self.environment is None:
            raise ValueError(f"a run that is {self.state} needs environment")
        return self


MAY_NOT_APPLY = (
    *("commit_sha", "environment", "eval_set", "kaggle_notebook_url", "kaggle_notebook_version", "kaggle_run_id"),
    "notes",
)


def make_manifest(
    lock: Lock, claim: Claim, run_dir: Path, *, state: State | Literal["unscored"], **facts: Any
) -> RunManifest:
    """The manifest of a run, from its lock, its claim and the files in `run_dir`; `facts` are further fields."""
    test = claim.test and claim.test.for_evidence()
    entries = Journal(run_dir).entries
    if state is not State.RUNNING:
        facts |= {"ended_at": entries[-1].at, "elapsed_s": entries[-1].elapsed_s}
    values = {
        "name": lock.name,
        "run_version": lock.name,
        "lock_id": lock.lock_id,
        "claim_id": claim.claim_id,
        "state": state,
        "claimed_at": claim.claimed_at,
        "timestamp": claim.claimed_at,
        "time_budget_s": lock.budget.time_budget_s,
        "steps_locked": lock.config["train"]["max_steps"],
        "test": test,
        "model_id": lock.run_config().model.id,
        "dataset": _trainset(lock, run_dir),
        "eval_set": None if test else Path(lock.config["eval"]["evalset"]).stem,
        "config_path": run_files.CONFIG,
        "command": f"podium submit {lock.name}" + (f" --test {test.path}" if test else ""),
        "commit_sha": lock.code_commit,
        "tuning_job_id": lock.study,
        "trial_id": lock.trial,
        "environment": _environment(run_dir),
        "durations_s": durations_s(entries),
        "interruptions": max((entry.session for entry in entries), default=1) - 1,
        "interrupted_s": round(sum(float(entry.facts.get("down_s", 0)) for entry in entries), 3),
        "notes": _notes(facts, lock),
        **kaggle_facts(),
        **facts,
    }
    values["not_applicable"] = tuple(name for name in MAY_NOT_APPLY if values.get(name) is None)
    draft = RunManifest(**values, evidence_id="follows from the rest")
    return draft.model_copy(update={"evidence_id": draft.content_id()})


def durations_s(entries: Sequence[Entry]) -> dict[str, float]:
    """The seconds that the attempt spent in each phase, interruptions included; the time before its claim is the
    first one's."""
    spent: dict[str, float] = {}
    ends_s = [entry.elapsed_s for entry in entries[1:]]
    for entry, end_s in zip(entries, ends_s, strict=False):
        begin_s = entry.elapsed_s if spent else 0.0
        spent[entry.phase] = round(spent.get(entry.phase, 0.0) + end_s - begin_s, 3)
    return spent


def _trainset(lock: Lock, run_dir: Path) -> str:
    """The name in the trainset's manifest, which the trainer records when it begins; until then, that of the config."""
    if not (run_dir / run_files.PROVENANCE).is_file():
        return Path(lock.config["data"]["trainset"]).name
    return str(read_json(run_dir / run_files.PROVENANCE)["trainset"]["name"])


def _environment(run_dir: Path) -> Environment | None:
    if not (run_dir / run_files.PROVENANCE).is_file():
        return None
    facts = read_json(run_dir / run_files.PROVENANCE)
    device = facts["device"]
    return Environment(
        platform=facts["machine"]["system"],
        accelerator=f"{device['platform']} ({device['count']} x {device['kind']})",
        python=facts["machine"]["python"],
        packages=facts["libraries"],
    )


def _notes(facts: Mapping[str, Any], lock: Lock) -> str | None:
    if facts.get("truncated"):
        return (
            f"the time budget ended training after step {facts['steps_trained']} of {lock.config['train']['max_steps']}"
        )
    return None


def write(path: Path, record: Record) -> None:
    """Write `record` as JSON. Raises UsageError, and writes nothing, if a value is null, a placeholder or NaN."""
    values = without_nulls(record.model_dump(mode="json"))
    refuse_gaps(values, path.name)
    write_json(path, values)


def read_manifest(path: Path) -> RunManifest | RunManifestV1:
    """A manifest of any version. Raises UsageError if it is missing or malformed, or was changed."""
    values = read_json(path)
    if isinstance(values, Mapping) and values.get("manifest_version") == "1":
        return parse_record(RunManifestV1, values, str(path))
    manifest = parse_record(RunManifest, values, str(path))
    found = manifest.content_id()
    # The second condition finds changes that keep the values, such as white space or 1 instead of 1.0.
    if found != manifest.evidence_id or as_written(manifest) != path.read_bytes():
        expected = manifest.evidence_id[:SHORT]
        raise UsageError(
            f"{path} was changed after the run (evidence_id expected {expected}, found {found[:SHORT]}); restore it"
        )
    return manifest


def read_complete(lock: Lock, run_dir: Path) -> RunManifest | RunManifestV1:
    """The manifest of a run with all its evidence. Raises UsageError if the lock has not been run to its end."""
    path = run_dir / run_files.MANIFEST
    if not path.is_file():
        refuse_claimed(path.parent)  # it ended before it wrote a manifest
        raise UsageError(f"submission {lock.name!r} has not run; `podium submit {lock.name}` runs it")
    manifest = read_manifest(path)
    if manifest.lock_id != lock.lock_id:
        other = manifest.lock_id[:SHORT]
        raise UsageError(f"submission {lock.name!r}: {path.name} belongs to another lock ({other}); restore it")
    if not manifest.has_evidence:
        why = f" ({manifest.reason})" if manifest.reason else ""
        resume = f"; `podium submit {lock.name} --resume` continues it" if manifest.resumable else ""
        raise UsageError(f"submission {lock.name!r} is {manifest.state}{why}, must be complete{resume}")
    return manifest


def as_written(record: Record) -> bytes:
    """The bytes of the file that `write` makes of `record`."""
    return to_json(without_nulls(record.model_dump(mode="json"))).encode("utf-8")
