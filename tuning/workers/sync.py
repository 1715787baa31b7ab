"""Keeps a study's files in sync with an fsspec URL (s3://bucket/x, gs://, file:///mnt/x), for nodes that share no disk.

    URL/STUDY/space.yaml        the study
    URL/STUDY/stop              exists while the sweep is asked to stop
    URL/STUDY/trials/NNN/...    a run directory; its manifest.json lists the files of the newest complete upload

A worker downloads a trial's folder before it attaches the trial, and uploads it after every report and when it detaches
the trial. So another node resumes the trial from the newest checkpoint that was uploaded.
"""

import contextlib
import json
import shutil
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.records import Report
from podium.core.redaction import one_line, redact
from tuning.search.space import SearchSpace
from tuning.study.events import Event, Listener
from tuning.study.files import END_FILE, EVENTS_FILE, LOG_TAIL_FILE, SPACE_FILE, STOP_FILE, stop_file, trial_dir
from tuning.workers.worker import WorkerKind, WorkerProtocol

MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints"  # files below it never change once they exist
POLL_EVERY_S = 1.0
MAX_TRIES = 3
DRIVER_FILES = (EVENTS_FILE, LOG_TAIL_FILE, END_FILE)  # which the driver writes into a trial's folder


def check_url(url: str) -> str:
    """Returns `url`. Raises UsageError if fsspec does not know its protocol or cannot write there."""
    if url.startswith("memory:"):
        raise UsageError(f"--storage {url}: each process has its own memory; name a folder that all nodes can reach")
    try:
        syncer = Syncer(url, Path("podium-check"))
        syncer.upload_text(STOP_FILE, "")
        syncer.delete(STOP_FILE)
    except (ImportError, ValueError, OSError) as error:
        raise UsageError(
            f"--storage {redact(url)}: cannot write there ({one_line(error)}); name a folder by its fsspec URL"
        ) from error
    return url


class Syncer:
    """Uploads and downloads files of the study in `folder`, below `url`. Errors of the file system are OSErrors."""

    def __init__(self, url: str, folder: Path) -> None:
        from fsspec.core import url_to_fs

        self._fs, root = url_to_fs(url, use_listings_cache=False)
        self._root, self._folder = f"{root.rstrip('/')}/{folder.name}", folder
        self._uploaded: dict[str, tuple[int, int]] = {}  # file -> its (mtime_ns, size) when it was uploaded

    def upload_text(self, name: str, text: str) -> None:
        """Write a file at once, or not at all."""
        self._put(name, text.encode())

    def exists(self, name: str) -> bool:
        return bool(self._fs.exists(f"{self._root}/{name}"))

    def delete(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(f"{self._root}/{name}")

    def upload_file(self, name: str) -> None:
        path = self._folder / name
        stat = path.stat()
        if self._uploaded.get(name) != (stat.st_mtime_ns, stat.st_size):
            self._put(name, path.read_bytes())
            self._uploaded[name] = (stat.st_mtime_ns, stat.st_size)

    def download_file(self, name: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.sync.tmp")
        self._fs.get_file(f"{self._root}/{name}", str(temporary))
        temporary.replace(path)

    def upload(self, folder: str) -> None:
        """Upload what changed in a folder of the study, then its manifest, then delete what is not in the manifest."""
        for tries_left in reversed(range(MAX_TRIES)):
            try:
                files = self._files(folder)
                for name in files:
                    self.upload_file(name)
                break
            except FileNotFoundError:  # an old checkpoint was deleted meanwhile
                if not tries_left:
                    raise
        before = self._manifest(folder) or {}
        self.upload_text(f"{folder}/{MANIFEST}", json.dumps(files))
        for name in before.keys() - files.keys():
            self.delete(name)
            self._uploaded.pop(name, None)

    def download(self, folder: str, checkpoints: bool = True) -> None:
        """Download the newest complete upload of a folder of the study, if there is one.

        Checkpoints that are not part of it are deleted here. Without `checkpoints`, none is downloaded or deleted.
        """
        files = self._manifest(folder)
        if files is None:
            return
        for name, size in files.items():
            is_checkpoint = f"/{CHECKPOINTS}/" in name
            path = self._folder / name
            is_here = is_checkpoint and path.is_file() and path.stat().st_size == size
            if (checkpoints or not is_checkpoint) and not is_here:
                self.download_file(name)
        if checkpoints:
            self._delete_unlisted_checkpoints(folder, files)

    def _delete_unlisted_checkpoints(self, folder: str, files: dict[str, int]) -> None:
        """Delete checkpoints that were never uploaded or were deleted since: another node continued without them."""
        listed = {Path(name).relative_to(folder).parts[1] for name in files if f"/{CHECKPOINTS}/" in name}
        for path in (self._folder / folder / CHECKPOINTS).glob("*"):
            if path.is_dir() and path.name not in listed:
                shutil.rmtree(path)

    def _files(self, folder: str) -> dict[str, int]:
        """The complete files below a folder with their sizes; files with temporary names are left out."""
        found = {}
        for path in sorted((self._folder / folder).rglob("*")):
            name = path.relative_to(self._folder)
            is_temporary = any(part.startswith(".") or "tmp" in part for part in name.parts)
            if path.is_file() and not is_temporary and path.name not in DRIVER_FILES:
                found[name.as_posix()] = path.stat().st_size
        return found

    def _manifest(self, folder: str) -> dict[str, int] | None:
        try:
            return dict(json.loads(self._fs.cat_file(f"{self._root}/{folder}/{MANIFEST}")))
        except FileNotFoundError:
            return None

    def _put(self, name: str, data: bytes) -> None:
        # Object stores write a file at once or not at all; elsewhere it is renamed into place.
        target = f"{self._root}/{name}"
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        if "file" not in self._fs.protocol:
            self._fs.pipe_file(target, data)
            return
        folder, _, file = target.rpartition("/")
        self._fs.pipe_file(f"{folder}/.{file}.tmp", data)
        Path(f"{folder}/.{file}.tmp").replace(target)


@dataclass(frozen=True)
class SyncedWorkerKind:
    """A WorkerKind whose workers keep the trials' folders in sync with `url`."""

    make: WorkerKind
    url: str

    def check(self, space: SearchSpace) -> dict[str, str]:
        return self.make.check(space)

    def __call__(self, study_folder: Path) -> "SyncedWorker":
        syncer = Syncer(self.url, study_folder)
        syncer.download_file(SPACE_FILE)
        follow_stop_file(syncer, study_folder)
        return SyncedWorker(self.make(study_folder), syncer)


class SyncedWorker:
    """A worker that downloads and uploads the folder of each of its trials."""

    def __init__(self, worker: WorkerProtocol, syncer: Syncer) -> None:
        self._worker, self._syncer = worker, syncer
        self._trials: dict[int, str] = {}  # slot -> the trial's folder

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        trial = trial_dir(Path(), trial_id).as_posix()
        self._syncer.download(trial)
        slot = self._worker.attach(trial_id, config, checkpoint)
        self._trials[slot] = trial
        return slot

    def advance(self, slot: int, until_step: int) -> Report:
        report = self._worker.advance(slot, until_step)
        self._syncer.upload(self._trials[slot])
        return report

    def save(self, slot: int, path: Path) -> None:
        self._worker.save(slot, path)
        self._syncer.upload(self._trials[slot])

    def detach(self, slot: int) -> None:
        self._worker.detach(slot)  # this waits for a checkpoint that is still being written
        self._syncer.upload(self._trials.pop(slot))

    def stats(self) -> dict[str, Any]:
        return self._worker.stats()


def follow_stop_file(syncer: Syncer, folder: Path) -> None:
    """Start a thread that makes a stop file in this node's `folder` when one was uploaded."""

    def watch() -> None:
        pause = threading.Event()
        while not pause.wait(POLL_EVERY_S):
            with contextlib.suppress(OSError):  # the network may fail for a moment
                if syncer.exists(STOP_FILE):
                    stop_file(folder).touch()

    threading.Thread(target=watch, name="sync-stop", daemon=True).start()


@contextlib.contextmanager
def sync_driver(syncer: Syncer, folder: Path, trials: Iterable[int]) -> Iterator[Listener]:
    """The driver's side: uploads the study, downloads the folders of its `trials`, and uploads the stop file once it
    exists. The listener downloads the folder of a trial that ended. Checkpoints are not downloaded.

    Raises:
        PodiumError: the URL cannot be used.
    """

    def download(number: int) -> None:
        syncer.download(trial_dir(Path(), number).as_posix(), checkpoints=False)

    def listen(event: Event) -> None:
        if event.kind == "finished":
            with contextlib.suppress(OSError):  # a resume downloads it
                download(event.trial.number)

    try:
        syncer.delete(STOP_FILE)
        syncer.upload_file(SPACE_FILE)
        for number in trials:
            download(number)
    except OSError as error:
        raise PodiumError(f"--storage cannot be used: {redact(str(error))}") from error
    ended = threading.Event()
    watcher = threading.Thread(target=_upload_stop_file, args=(syncer, folder, ended), name="sync-driver", daemon=True)
    watcher.start()
    try:
        yield listen
    finally:
        ended.set()
        watcher.join()


def _upload_stop_file(syncer: Syncer, folder: Path, ended: threading.Event) -> None:
    while not ended.wait(POLL_EVERY_S):
        with contextlib.suppress(OSError):
            if stop_file(folder).exists() and not syncer.exists(STOP_FILE):
                syncer.upload_text(STOP_FILE, "")
