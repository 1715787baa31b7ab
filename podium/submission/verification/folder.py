"""Verifies the folder of a complete run: every value that can be computed from other files is, and is compared."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from eval.scorecard import floored
from podium.core import run_files
from podium.core.config import RunConfig, load_config
from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_json
from podium.core.hashing import sha256_file
from podium.core.paths import find_evalset
from podium.core.records import Record, parse_record, read_record
from podium.submission import evidence
from podium.submission.claim import Claim
from podium.submission.journal import Journal
from podium.submission.lock import Lock, check_lock
from podium.submission.manifest import (
    RunManifest,
    RunManifestV1,
    as_written,
    make_manifest,
    read_complete,
)
from podium.submission.summary import (
    EvalSummary,
    PredictionsMeta,
    UnscoredSummary,
    describe_predictions,
    summarise,
    summarise_unlabelled,
)
from podium.submission.verification.log import check_log
from podium.submission.verification.older import verify_older
from podium.submission.verification.report import Report
from podium.submission.verify import SHORT, differences, refuse_gaps, without_nulls


def verify_folder(run_dir: Path, expect: str | None = None, places: Mapping[str, str] = MappingProxyType({})) -> Report:
    """Verify a run in `run_dir`. `expect` is the lock id, or its beginning.

    `places` has the paths of the lock's data by the keys of the config, if home lacks them.

    Nothing is raised for evidence that is wrong: the report has it.

    Raises:
        UsageError: there is no such folder.
    """
    if not run_dir.is_dir():
        raise UsageError(f"{run_dir} is not a folder of a run; give the NAME of a submission, its folder or a package")
    report = Report()
    if not (run_dir / run_files.LOCK).exists():
        verify_older(run_dir, report)
        if expect:
            report.fail("lock", f"there is no {run_files.LOCK}, so nothing shows the lock id {expect[:SHORT]}")
        return report
    _Run(run_dir, report, expect, places).verify()
    return report


@dataclass
class _Run:
    """The run in `run_dir`; `verify` adds the checks to `report`, and fills in `lock` and `manifest`."""

    run_dir: Path
    report: Report
    expect: str | None
    places: Mapping[str, str]

    def verify(self) -> None:
        run = self.report.run
        if not (run("lock", self._read_lock) and run("manifest", self._read_manifest) and run("files", self._files)):
            return
        if isinstance(self.manifest, RunManifestV1):
            keys = sorted(set(RunManifest.model_fields) - set(RunManifestV1.model_fields))
            self.report.note("schemas", f"made by an earlier version of Podium, which had no {', '.join(keys)}")
        else:
            run("schemas", self._schemas)
            run("facts", self._facts)
        run("score" if self.manifest.test is None else "predictions", self._score)
        run("log", self._log)

    def _read_lock(self) -> str:
        self.lock: Lock = check_lock(self.run_dir / run_files.LOCK)
        lock_id = self.lock.lock_id
        if self.expect and (len(self.expect) < SHORT or not lock_id.startswith(self.expect)):
            rule = f"; give {SHORT} or more of its digits" if len(self.expect) < SHORT else ""
            raise PodiumError(f"the lock id is {lock_id}, expected {self.expect}{rule}")
        refuse_gaps(read_json(self.run_dir / run_files.LOCK), run_files.LOCK)
        return f"{lock_id}, {'as expected' if self.expect else 'which its content gives'}"

    def _read_manifest(self) -> str:
        self.manifest = read_complete(self.lock, self.run_dir)
        refuse_gaps(read_json(self.run_dir / run_files.MANIFEST), run_files.MANIFEST)
        shown = f"evidence id {self.manifest.evidence_id}" if isinstance(self.manifest, RunManifest) else "version 1"
        return f"{self.manifest.state}, {shown}"

    def _files(self) -> str:
        expected = self.manifest.files or {}
        names = [*evidence.EVIDENCE, *evidence.OPTIONAL_EVIDENCE]
        here = {name for name in {*names, *expected} if (self.run_dir / name).exists()}
        if links := sorted(name for name in here | {run_files.MANIFEST} if (self.run_dir / name).is_symlink()):
            raise PodiumError(f"{', '.join(links)} is a symbolic link, must be a plain file; replace it with the file")
        if missing := sorted({*evidence.EVIDENCE, *expected} - here):
            raise PodiumError(f"{self.run_dir / missing[0]} does not exist; restore the files that the run wrote")
        if found := differences(expected, {name: sha256_file(self.run_dir / name) for name in here}):
            raise PodiumError(f"{', '.join(map(str, found))}; restore the files that the run wrote")
        if load_config(self.run_dir / run_files.CONFIG).hash != self.lock.hashes["config"]:
            raise PodiumError(f"{run_files.CONFIG} is not the config of the lock")
        return f"{len(expected)} files have the hashes of the manifest"

    def _schemas(self) -> str:
        kinds: Mapping[str, type[Record]] = {
            run_files.SUMMARY: EvalSummary if self.manifest.test is None else UnscoredSummary,
            run_files.PREDICTIONS_META: PredictionsMeta,
        }
        for name, kind in kinds.items():
            values = read_json(self.run_dir / name)
            record = parse_record(kind, values, name)
            refuse_gaps(values, name)
            if as_written(record) != (self.run_dir / name).read_bytes():
                raise PodiumError(f"{name} is not in the form in which Podium writes it")
        refuse_gaps(read_json(self.run_dir / run_files.PROVENANCE), run_files.PROVENANCE)
        evidence.read_predictions(self.run_dir)
        Journal(self.run_dir)
        return "every key is there, and none is null or a placeholder"

    def _facts(self) -> str:
        """Whether the manifest is what the lock, the journal and provenance.json give."""
        assert isinstance(self.manifest, RunManifest)
        m = self.manifest
        claim = Claim(lock_id=m.lock_id, pid=0, host="", claimed_at=m.claimed_at, claim_id=m.claim_id, test=m.test)
        given = {
            name: getattr(m, name)
            for name in (
                *("steps_trained", "truncated", "files"),
                *("kaggle_notebook_url", "kaggle_notebook_version", "kaggle_run_id"),
            )
        }
        again = make_manifest(self.lock, claim, self.run_dir, state=m.state, **given)
        if wrong := [name for name in RunManifest.model_fields if getattr(again, name) != getattr(m, name)]:
            name = wrong[0]
            raise PodiumError(
                f"{run_files.MANIFEST}: {name}={getattr(m, name)!r} does not follow from the other files, which give "
                f"{getattr(again, name)!r}"
            )
        return "the manifest is what lock, journal and provenance give"

    def _config(self) -> RunConfig:
        """The lock's config, which names the evalset by the file that has the locked hash."""
        config = self.lock.run_config().with_overrides(self.places)
        path = find_evalset(config.eval.evalset)
        if (found := sha256_file(path)) != (expected := self.lock.hashes["evalset"]):
            raise PodiumError(f"not scored: {path} is not the evalset of the lock (expected {expected[:SHORT]}, found "
                              f"{found[:SHORT]})")  # fmt: skip
        return config.with_overrides({"eval.evalset": str(path)})

    def _score(self) -> str:
        """Compute the summary again, from the predictions, and compare."""
        if self.manifest.test is not None:
            return self._unscored()
        config = self._config()
        judge = evidence.scorer_title(config)
        if self.lock.scorer not in (None, judge):
            raise PodiumError(f"not scored: the lock has scorer {self.lock.scorer}, and this Podium {judge}")
        cards = evidence.score(self.lock, self.run_dir, config)
        summary = read_json(self.run_dir / run_files.SUMMARY)
        card = cards[config.eval.submission_split]
        shown = f"{floored(card.answer_correctness)} points of {card.n_items} items"
        if isinstance(self.manifest, RunManifestV1):
            if summary["primary_score"] != card.primary_score:
                raise PodiumError(
                    f"primary_score={summary['primary_score']}: the predictions give {card.primary_score}"
                )
            return f"{shown}, as the predictions give"
        again = summarise(self.lock, self.run_dir, cards, config)
        _compare(run_files.SUMMARY, parse_record(EvalSummary, summary, run_files.SUMMARY), again)
        meta = read_record(PredictionsMeta, self.run_dir / run_files.PREDICTIONS_META)
        _compare(run_files.PREDICTIONS_META, meta, describe_predictions(self.lock, self.run_dir, config=config))
        self._compare_submission(config)
        return f"{shown}, as the predictions give"

    def _unscored(self) -> str:
        """Compute again what the predictions say without the items, which are not here."""
        test = self.manifest.test
        assert test is not None
        summary = read_record(UnscoredSummary, self.run_dir / run_files.SUMMARY)
        again = summarise_unlabelled(self.lock, self.run_dir, test, summary.n_items)
        _compare(run_files.SUMMARY, summary, again)
        meta = read_record(PredictionsMeta, self.run_dir / run_files.PREDICTIONS_META)
        _compare(run_files.PREDICTIONS_META, meta, describe_predictions(self.lock, self.run_dir, test))
        return f"{meta.n} answers to unlabelled items, which have no score"

    def _compare_submission(self, config: RunConfig) -> None:
        """Write submission.json again, if the run has one for the evalset's own items, and compare."""
        path = self.run_dir / run_files.SUBMISSION
        if not path.is_file() or config.eval.challenges:
            return
        with tempfile.TemporaryDirectory(prefix="podium-verify-") as folder:
            (Path(folder) / run_files.PREDICTIONS).symlink_to((self.run_dir / run_files.PREDICTIONS).resolve())
            evidence.write_submission(self.lock, Path(folder), config)
            if (Path(folder) / run_files.SUBMISSION).read_bytes() != path.read_bytes():
                raise PodiumError(f"{run_files.SUBMISSION} is not what the predictions give")

    def _log(self) -> str:
        values = self.manifest.model_dump(mode="json")
        return check_log(self.run_dir, values, read_json(self.run_dir / run_files.SUMMARY))


def _compare(file: str, written: Record, again: Record) -> None:
    """Raises PodiumError, naming the first key that differs."""
    pairs: Sequence[tuple[str, Any, Any]] = [
        (name, getattr(written, name), getattr(again, name)) for name in type(again).model_fields
    ]
    for name, was, now in pairs:
        if _plain(was) != _plain(now):
            raise PodiumError(
                f"{file}: {name}={_shown(was)} does not follow from the predictions, which give {_shown(now)}"
            )


def _plain(value: Any) -> Any:
    return as_written(value) if isinstance(value, Record) else without_nulls(value)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
