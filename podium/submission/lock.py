"""The lock: a record of everything that a submission run depends on, under one id."""

import dataclasses
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from pydantic import Field

from eval.arc_submission import makes_attempts
from eval.scorers import get_scorer
from eval.sets.evalset import Evalset, assert_disjoint, load_evalset
from podium.core.budgets.budget import resolve_budget
from podium.core.budgets.rules import check_device, check_rules
from podium.core.config import RunConfig
from podium.core.errors import UsageError
from podium.core.files import create_exclusively, read_json, to_json
from podium.core.hashing import sha256_file, sha256_file_cached, sha256_json
from podium.core.paths import check_name, find_evalset, find_trainset, submission_dir
from podium.core.promotion import PromotionRecord
from podium.core.provenance import changed_since, code_commit, code_hash, requirements_hash
from podium.core.records import Record, parse_record
from podium.core.resolved import ResolvedConfig, resolved
from podium.core.run_files import LOCK
from podium.core.temporary import remove_leftovers
from podium.submission.claim import utc_now
from podium.submission.portable_inputs import given_to, portable_config
from podium.submission.verify import SHORT, differences, refuse_gaps, without_nulls
from trainer.data.tokenizer import tokenizer_files
from trainer.model.sources import GENERATION, find_files, model_files
from trainer.run.chat_date import with_date

PACKAGES = "packages"  # submission_runs/packages/ holds the zips, so no submission has that name


class LockedBudget(Record):
    """The time limits of the run in wall seconds, resolved from the config and its budget profile."""

    profile: str
    time_budget_s: float = Field(gt=0)
    reserve_s: float = Field(ge=0)


class Lock(PromotionRecord):
    """`submission_runs/<name>/lock.json`: the promotion, and the hashes of the inputs of its config.

    `config` leaves out keys that are null; RunConfig restores them.
    """

    lock_version: Literal["1"] = "1"
    name: str
    created_at: str  # UTC, ISO 8601
    seeds: dict[str, int]
    scorer: str | None = None  # with its version, `answer version 3`; absent in locks of older versions of Podium
    budget: LockedBudget
    hashes: dict[str, str]  # sha256 by input, see `hash_inputs`
    code_commit: str | None = None  # absent outside a git checkout; `hashes` has the code itself
    lock_id: str  # `content_id` at the time of writing

    def content_id(self) -> str:
        """sha256 over the canonical JSON of everything but `lock_id`."""
        return sha256_json(without_nulls(self.model_dump(mode="json", exclude={"lock_id"})))

    def run_config(self) -> ResolvedConfig:
        return ResolvedConfig.parse(self.config, f"lock of submission {self.name!r}")

    def to_json(self) -> str:
        """The text of lock.json."""
        return to_json(without_nulls(self.model_dump(mode="json")))


def lock_path(name: str) -> Path:
    return submission_dir(name) / LOCK


def write_lock(promotion: PromotionRecord, name: str, accept: Collection[str] = ()) -> Lock:
    """Hash every input of the promoted config, and write the lock.

    `accept`: rules of the competition that the user chooses to break, which the lock records.

    Raises:
        UsageError: the name is invalid or taken, an input is missing, trainset and evalset overlap, a rule is broken,
            or the record has a gap; nothing was written.
    """
    refuse_taken(name)
    lock = _build(promotion, name, accept)
    if not create_exclusively(lock_path(name), lock.to_json()):
        raise _taken(name)
    return lock


def refuse_taken(name: str) -> None:
    """Raises UsageError if a new submission cannot have this name."""
    check_name(name, "submission")
    if name.casefold() == PACKAGES:
        raise UsageError(f"submission name {name!r}: submission_runs/{PACKAGES}/ holds packages; choose another name")
    remove_leftovers(submission_dir(name))  # of a promotion that was killed
    if any(submission_dir(name).glob("*")):
        raise _taken(name)


def read_lock(name: str) -> Lock:
    """The lock of submission `name`.

    Raises:
        UsageError: there is none, or it differs in any byte from what `write_lock` wrote.
    """
    path = lock_path(check_name(name, "submission"))
    if not path.is_file():
        raise UsageError(f"submission {name!r}: {path} does not exist; `podium promote STUDY --as {name}` makes it")
    lock = check_lock(path)
    if lock.name != name:
        raise UsageError(f"submission {name!r}: lock.json belongs to {lock.name!r}; {_REMEDY}")
    return lock


def check_lock(path: Path) -> Lock:
    """The lock in a file. Raises UsageError if it differs in any byte from what `write_lock` wrote."""
    lock = parse_record(Lock, read_json(path), str(path))
    found = lock.content_id()
    # The second condition finds changes that keep the values, such as white space or 1 instead of 1.0.
    if found != lock.lock_id or lock.to_json().encode() != path.read_bytes():
        raise UsageError(
            f"submission {path.parent.name!r}: lock.json was changed after it was written "
            f"(lock_id expected {lock.lock_id[:SHORT]}, found {found[:SHORT]}); {_REMEDY}"
        )
    return lock


def incumbent(evalset_sha256: str) -> Lock | None:
    """The newest lock on this evalset whose promotion was confirmed; None if there is none.

    Raises:
        UsageError: a lock was changed after it was written.
    """
    names = sorted(path.parent.name for path in submission_dir("").glob(f"*/{LOCK}"))
    locks = [lock for lock in map(read_lock, names) if lock.verdict == "promote"]
    found = [lock for lock in locks if lock.hashes["evalset"] == evalset_sha256]
    return max(found, key=lambda lock: lock.created_at, default=None)


def verify_inputs(lock: Lock) -> None:
    """Raises UsageError, naming every input that differs from its hash in the lock, or the scorer's other version."""
    config = lock.run_config()
    found = differences(lock.hashes, hash_inputs(config))
    if lock.scorer and not any(difference.what == "evalset" for difference in found):
        _refuse_other_scorer(lock, _scorer(config, load_evalset(config.eval.evalset)))
    if found:
        changed = _changed_code(lock) if any(difference.what == "code" for difference in found) else ""
        raise UsageError(f"submission {lock.name!r}: {', '.join(map(str, found))}{changed}; {_REMEDY}")


def _changed_code(lock: Lock) -> str:
    """The code files that differ from the locked commit; nothing if it had changes of its own, or without git."""
    commit = lock.code_commit or ""
    files = None if not commit or commit.endswith("+changes") else changed_since(commit)
    return f"; since commit {commit[:SHORT]}, changes are in {', '.join(files)}" if files else ""


def _refuse_other_scorer(lock: Lock, scorer: str) -> None:
    """Raised before the difference of the code, which would not say that scores changed their meaning."""
    if lock.scorer != scorer:
        made_with = f" (commit {lock.code_commit})" if lock.code_commit else ""
        raise UsageError(
            f"submission {lock.name!r}: locked with scorer {lock.scorer}, and this Podium has {scorer}; the two are not"
            f" comparable: submit with the code that it was made with{made_with}, or promote again under another name"
        )


def hash_inputs(config: RunConfig) -> dict[str, str]:
    """The sha256 of every input that a run of `config` reads, by the input's name.

    Raises:
        UsageError: the trainset, evalset, model or tokenizer is missing.
    """
    trainset = find_trainset(config.data.trainset)
    hashes = {
        "config": config.hash,
        "trainset/traces.jsonl": sha256_file(trainset / "traces.jsonl"),
        "trainset/manifest.json": sha256_file(trainset / "manifest.json"),
        "evalset": sha256_file(find_evalset(config.eval.evalset)),
        "code": code_hash(),
        "requirements": requirements_hash(),
    }
    return {name: value for name, value in {**hashes, **_model_hashes(config)}.items() if value is not None}


def _build(promotion: PromotionRecord, name: str, accept: Collection[str]) -> Lock:
    """Build the lock without writing it. Raises UsageError as `write_lock` does."""
    given = ResolvedConfig.parse(promotion.config, f"study {promotion.study!r}, trial {promotion.trial}")
    config = resolved(with_date(portable_config(given)))
    accepted = broken_rules(config, accept, promotion.submission_s)
    evalset = load_evalset(config.eval.evalset)
    assert_disjoint(evalset, find_trainset(config.data.trainset))
    if config.eval.challenges and not makes_attempts(scorer := evalset.chosen_scorer(config.eval.scorer)):
        raise UsageError(
            f"eval.challenges={config.eval.challenges!r} with scorer {scorer!r}: only arc_grid and arc_program make "
            "attempts for a submission.json; leave eval.challenges out or sweep on an ARC evalset"
        )
    seeds = {"train": config.train.seed, "bootstrap": 0}
    if config.model.source == "tiny":
        seeds["model_init"] = config.train.seed  # its weights are drawn from this seed; no file holds them
    values = {
        **promotion.model_dump(mode="json"),
        "config": config.model_dump(mode="json"),
        "overrides": {key: given_to(config, key, value) for key, value in promotion.overrides.items()},
        "accepted": accepted or None,
        "name": name,
        "created_at": utc_now(),
        "seeds": seeds,
        "scorer": _scorer(config, evalset),
        "budget": dataclasses.asdict(resolve_budget(config.budget)),
        "hashes": hash_inputs(config),
        "code_commit": code_commit(),
        "lock_id": "follows from the rest",
    }
    draft = parse_record(Lock, without_nulls(values), "lock")
    lock = draft.model_copy(update={"lock_id": draft.content_id()})
    refuse_gaps(without_nulls(lock.model_dump(mode="json")), "lock")
    return lock


def broken_rules(config: RunConfig, accept: Collection[str], projected_s: float | None = None) -> dict[str, str]:
    """The rules of the competition that `accept` allows the config to break, with how it does.

    Raises:
        UsageError: another rule is broken, the model is missing, or profile and device contradict each other.
    """
    check_device(config)
    architecture = read_json(find_files(config.model)[0] / "config.json") if config.budget.competition else None
    return check_rules(config, accept, architecture=architecture, projected_s=projected_s)


def _scorer(config: RunConfig, evalset: Evalset) -> str:
    return get_scorer(evalset.chosen_scorer(config.eval.scorer)).title


def _model_hashes(config: RunConfig) -> dict[str, str]:
    """The hashes of the model's configs and weights (the tiny model has none) and of the tokenizer's files."""
    model, tokenizer = find_files(config.model)
    files = [*model_files(model), *(path for path in [model / GENERATION] if path.is_file())]
    hashes = {f"model/{file.relative_to(model).as_posix()}": sha256_file_cached(file) for file in files}
    return hashes | {f"tokenizer/{file.name}": sha256_file_cached(file) for file in tokenizer_files(tokenizer)}


_REMEDY = "restore it, or promote again under another name"


def _taken(name: str) -> UsageError:
    return UsageError(f"submission {name!r} already exists ({submission_dir(name)}); choose another name")
