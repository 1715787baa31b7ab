"""A study's files at an fsspec URL (s3://bucket/x, gs://, file:///mnt/x), for nodes that share no disk.

    URL/STUDY/space.yaml        the study
    URL/STUDY/stop              while the sweep is asked to stop
    URL/STUDY/trials/NNN/...    a run directory; its manifest.json names what the newest whole copy consists of

A worker brings a trial's folder before it attaches the trial, and sends it after every report and when it lets the
trial go, so another node goes on from the newest checkpoint that was sent.
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
from tuning.study.files import stop_file
from tuning.workers.worker import WorkerKind, WorkerProtocol

MANIFEST = "manifest.json"
CHECKPOINTS = "checkpoints"  # files below it never change once they are there
LOOK_EVERY_S = 1.0
TRIES = 3
DRIVERS_OWN = ("events.jsonl", "log_tail.txt", "end")  # what the driver writes into a trial's folder


def check_url(url: str) -> str:
    """Raises UsageError for what fsspec does not know or cannot write to."""
    if url.startswith("memory:"):
        raise UsageError(f"--storage {url}: every process has a memory of its own; name a folder that all nodes reach")
    try:
        mirror = Mirror(url, Path("podium-check"))
        mirror.send_text("stop", "")
        mirror.forget("stop")
    except (ImportError, ValueError, OSError) as error:
        raise UsageError(
            f"--storage {redact(url)}: cannot be written ({one_line(error)}); name a folder by fsspec URL"
        ) from error
    return url


class Mirror:
    """The study in `folder`, as it stands at `url`. What the file system raises comes out as OSError."""

    def __init__(self, url: str, folder: Path) -> None:
        from fsspec.core import url_to_fs

        self._fs, root = url_to_fs(url, use_listings_cache=False)
        self._root, self._folder = f"{root.rstrip('/')}/{folder.name}", folder
        self._sent: dict[str, tuple[int, int]] = {}  # file -> (when changed, size) as last sent

    def send_text(self, name: str, text: str) -> None:
        """Whole or not at all: object stores put so, and elsewhere it is renamed into place."""
        self._put(name, text.encode())

    def has(self, name: str) -> bool:
        return bool(self._fs.exists(f"{self._root}/{name}"))

    def forget(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(f"{self._root}/{name}")

    def send_file(self, name: str) -> None:
        path = self._folder / name
        stat = path.stat()
        if self._sent.get(name) != (stat.st_mtime_ns, stat.st_size):
            self._put(name, path.read_bytes())
            self._sent[name] = (stat.st_mtime_ns, stat.st_size)

    def bring_file(self, name: str) -> None:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.mirror.tmp")
        self._fs.get_file(f"{self._root}/{name}", str(temporary))
        temporary.replace(path)

    def send(self, folder: str) -> None:
        """Send what changed in a folder of the study, then say in its manifest what it consists of now."""
        for tries_left in reversed(range(TRIES)):
            try:
                files = self._files(folder)
                for name in files:
                    self.send_file(name)
                break
            except FileNotFoundError:  # an old checkpoint was retired meanwhile
                if not tries_left:
                    raise
        before = self._manifest(folder) or {}
        self.send_text(f"{folder}/{MANIFEST}", json.dumps(files))
        for name in before.keys() - files.keys():
            self.forget(name)
            self._sent.pop(name, None)

    def bring(self, folder: str, checkpoints: bool = True) -> None:
        """Make a folder of the study what was last sent, as far as anything was."""
        files = self._manifest(folder)
        if files is None:
            return
        for name, size in files.items():
            kept = f"/{CHECKPOINTS}/" in name
            path = self._folder / name
            if (checkpoints or not kept) and not (kept and path.is_file() and path.stat().st_size == size):
                self.bring_file(name)
        if checkpoints:
            self._drop_others(folder, files)

    def _drop_others(self, folder: str, files: dict[str, int]) -> None:
        """Checkpoints that were never sent, or retired since: the trial went on elsewhere without them."""
        known = {Path(name).relative_to(folder).parts[1] for name in files if f"/{CHECKPOINTS}/" in name}
        for path in (self._folder / folder / CHECKPOINTS).glob("*"):
            if path.is_dir() and path.name not in known:
                shutil.rmtree(path)

    def _files(self, folder: str) -> dict[str, int]:
        """File -> size of what is whole; temporary names are left out."""
        found = {}
        for path in sorted((self._folder / folder).rglob("*")):
            name = path.relative_to(self._folder)
            unfinished = any(part.startswith(".") or "tmp" in part for part in name.parts)
            if path.is_file() and not unfinished and path.name not in DRIVERS_OWN:
                found[name.as_posix()] = path.stat().st_size
        return found

    def _manifest(self, folder: str) -> dict[str, int] | None:
        try:
            return dict(json.loads(self._fs.cat_file(f"{self._root}/{folder}/{MANIFEST}")))
        except FileNotFoundError:
            return None

    def _put(self, name: str, data: bytes) -> None:
        target = f"{self._root}/{name}"
        self._fs.makedirs(target.rpartition("/")[0], exist_ok=True)
        if "file" not in self._fs.protocol:
            self._fs.pipe_file(target, data)
            return
        folder, _, file = target.rpartition("/")
        self._fs.pipe_file(f"{folder}/.{file}.tmp", data)
        Path(f"{folder}/.{file}.tmp").replace(target)


@dataclass(frozen=True)
class Mirrored:
    """A WorkerKind whose workers keep a study's files at `url` and bring from there what another node had."""

    make: WorkerKind
    url: str

    def check(self, space: SearchSpace) -> dict[str, str]:
        return self.make.check(space)

    def __call__(self, study_folder: Path) -> "MirroredWorker":
        mirror = Mirror(self.url, study_folder)
        mirror.bring_file("space.yaml")
        watch_stop(mirror, study_folder)
        return MirroredWorker(self.make(study_folder), mirror, study_folder)


class MirroredWorker:
    def __init__(self, worker: WorkerProtocol, mirror: Mirror, folder: Path) -> None:
        self._worker, self._mirror, self._folder = worker, mirror, folder
        self._trials: dict[int, str] = {}  # slot -> the trial's folder

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        trial = f"trials/{trial_id:03d}"
        self._mirror.bring(trial)
        slot = self._worker.attach(trial_id, config, checkpoint)
        self._trials[slot] = trial
        return slot

    def advance(self, slot: int, until_step: int) -> Report:
        report = self._worker.advance(slot, until_step)
        self._mirror.send(self._trials[slot])
        return report

    def save(self, slot: int, path: Path) -> None:
        self._worker.save(slot, path)
        self._mirror.send(self._trials[slot])

    def detach(self, slot: int) -> None:
        self._worker.detach(slot)  # a checkpoint that was still being written is whole after this
        self._mirror.send(self._trials.pop(slot))

    def stats(self) -> dict[str, Any]:
        return self._worker.stats()


def watch_stop(mirror: Mirror, folder: Path) -> None:
    """Have the stop file of this node's copy follow the mirror's, for as long as the process lives."""

    def watch() -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_EVERY_S):
            with contextlib.suppress(OSError):  # a network that is away for a moment
                if mirror.has("stop"):
                    stop_file(folder).touch()

    threading.Thread(target=watch, name="mirror-stop", daemon=True).start()


@contextlib.contextmanager
def driving(mirror: Mirror, folder: Path, trials: Iterable[int]) -> Iterator[Listener]:
    """What the driver does: send the study, bring what its `trials` left there, and pass on that the sweep shall stop.
    The listener brings what a trial that ended left, but for its checkpoints.

    Raises:
        PodiumError: the mirror cannot be used.
    """

    def bring(number: int) -> None:
        mirror.bring(f"trials/{number:03d}", checkpoints=False)

    def listen(event: Event) -> None:
        if event.kind == "finished":
            with contextlib.suppress(OSError):  # it is there still, and a resume brings it
                bring(event.trial.number)

    try:
        mirror.forget("stop")
        mirror.send_file("space.yaml")
        for number in trials:
            bring(number)
    except OSError as error:
        raise PodiumError(f"--storage cannot be used: {redact(str(error))}") from error
    ended = threading.Event()
    watcher = threading.Thread(target=_pass_on_stop, args=(mirror, folder, ended), name="mirror-driver", daemon=True)
    watcher.start()
    try:
        yield listen
    finally:
        ended.set()
        watcher.join()


def _pass_on_stop(mirror: Mirror, folder: Path, ended: threading.Event) -> None:
    while not ended.wait(LOOK_EVERY_S):
        with contextlib.suppress(OSError):
            if stop_file(folder).exists() and not mirror.has("stop"):
                mirror.send_text("stop", "")
