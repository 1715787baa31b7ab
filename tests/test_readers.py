"""Nothing that a file holds upsets a reader: it is read, or refused in one line, soon, and nothing is written."""

import contextlib
import gzip
import json
import resource
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from eval.arc.submission import read_submission
from eval.arc.tasks import load_tasks
from eval.leaderboard import read_standing
from eval.scorecard import score_file
from eval.sets.evalset import load_evalset
from eval.sets.importers import import_set
from podium.core.config import load_config, load_yaml, parse_assignment
from podium.core.errors import LONGEST, PodiumError
from podium.core.files import read_json, to_line
from podium.core.formats import choose_format
from podium.core.hashing import sha256_json
from podium.core.records import TrainsetManifest, iter_examples, read_record
from podium.core.sources import Source
from podium.submission.claim import Claim
from podium.submission.lock import read_lock
from podium.submission.manifest import read_manifest
from tests.limits import at_most
from tests.mutations import Mutator
from tests.reader_attacks import NAMED
from trainer.data.importers import import_examples
from trainer.data.tokenizer import Tokenizer
from trainer.model.config_file import read_architecture
from trainer.model.end_tokens import end_tokens
from trainer.model.sources import INDEX, weight_files
from tuning.search.load import load_space, parse_space

FIXTURES = Path(__file__).parent / "fixtures"
LIMIT_S = 3.0  # of CPU time, for one file
MOST_KB = 200_000  # more memory than before
ROWS = [
    {"question": "1 + 1?", "answer": "1 + 1 = 2\n#### 2", "id": "a"},
    {"question": "2?", "answer": "#### 2", "id": "b"},
]
CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}], "tools": "[]"}
GRID = {"train": [{"input": [[1]], "output": [[2]]}], "test": [{"input": [[1, 0]]}]}
SPACE = """\
name: small
base: base.yaml
overrides: {train.schedule: linear}
objectives: [{metric: dev/loss}, {metric: peak_memory_gb, mode: min}]
sampler: {name: tpe, seed: 0}
scheduler: {name: asha, grace_period: 2}
trials: 3
workers: 1
report_every_steps: 2
start_with: [{train.learning_rate: 0.001}]
stop: {patience: 3}
constraints: [peak_memory_gb <= 16, train.batch_size * train.max_steps <= 100]
parameters:
  train.learning_rate: {type: float, low: 0.0001, high: 0.03, log: true}
  train.weight_decay: {type: float, low: 0.0, high: 0.1, step: 0.05}
  train.batch_size: [4, 8]
  train.max_steps: {type: int, low: 4, high: 8}
  train.warmup_steps: "=0.1 * train.max_steps"
  lora.enabled: [true, false]
  lora.rank: {type: int, low: 2, high: 8, when: {lora.enabled: true}}
"""
BASE = """\
data: {trainset: small, max_seq_len: 32, date: 2026-01-02, system: Be brief.}
train: {max_steps: 6, batch_size: 4, learning_rate: 3e-3, changes: [{step: 2, overrides: {train.learning_rate: 0.1}}]}
generate: {stop: [x], max_new_tokens: 16}
eval: {evalset: small_v1}
"""


@dataclass(frozen=True)
class Reader:
    """What reads the file at `path`, and goes on with its values as far as any command does."""

    path: str
    read: Callable[[Path], Any]

    @property
    def id(self) -> str:
        return self.path


def config(path: Path) -> None:
    read = load_config(path)
    assert sha256_json(read.model_dump(mode="json")) == read.hash and read.program_key


def space(path: Path) -> None:
    read = load_space(path)
    assert parse_space(load_yaml_of(read.to_yaml(), path), "again") == read


def load_yaml_of(text: str, beside: Path) -> Any:
    stored = beside.with_name("stored.yaml")
    stored.write_text(text)
    try:
        return load_yaml(stored)
    finally:
        stored.unlink()


def evalset(path: Path) -> None:
    samples = load_evalset(path).samples
    for sample in samples:
        to_line(sample.model_dump(mode="json"))


def scores(path: Path) -> None:
    card = score_file(path.with_name("predictions.jsonl"), load_evalset("small_v1"))
    to_line(card.model_dump(mode="json")).encode()


def imported(path: Path) -> None:
    name = path.name if path.is_file() else path.parent.name
    source = Source(str(path))
    with contextlib.suppress(PodiumError):
        import_set(source, name)
    format, rows = choose_format(source.rows(), "auto")
    for example in import_examples(rows, format):
        to_line(example.model_dump(mode="json")).encode()


def assignments(path: Path) -> None:
    for line in path.read_bytes().decode("utf-8", "surrogateescape").split("\n"):
        parse_assignment(line)


READERS = [
    Reader("space.yaml", space),
    Reader("base.yaml", config),
    Reader("base.yaml", lambda path: space(path.with_name("space.yaml"))),
    Reader("workspace/studies/before/space.yaml", lambda path: parse_space(load_yaml(path), str(path))),
    Reader("workspace/studies/before/trials/000/config.yaml", config),
    Reader("set.txt", assignments),
    Reader("evalsets/small_v1.jsonl", evalset),
    Reader("trainsets/small/traces.jsonl", lambda path: list(iter_examples(path))),
    Reader("trainsets/small/manifest.json", partial(read_record, TrainsetManifest)),
    Reader("run/predictions.jsonl", scores),
    Reader("run/predictions_meta.json", scores),
    Reader("run/scorecard.json", lambda path: read_standing(read_json(path), str(path))),
    Reader("submission_runs/before/lock.json", lambda _: read_lock("before")),
    Reader("submission_runs/before/claim.json", partial(read_record, Claim)),
    Reader("submission_runs/before/run_manifest.json", read_manifest),
    Reader("model/config.json", lambda path: read_architecture(path.parent)),
    Reader("model/generation_config.json", lambda path: end_tokens(path.parent, 1, 100)),
    Reader(f"model/{INDEX}", lambda path: weight_files(path.parent)),
    Reader(
        "tokenizer/tokenizer_config.json",
        lambda path: Tokenizer(path.parent).chat_text([CHAT["messages"][0]], asks=True),
    ),
    Reader(
        "tokenizer/chat_template.jinja", lambda path: Tokenizer(path.parent).chat_text([CHAT["messages"][0]], asks=True)
    ),
    Reader("challenges.json", load_tasks),
    Reader("solutions.json", lambda path: load_tasks(path.with_name("challenges.json"), path)),
    Reader("submission.json", lambda path: read_submission(path, load_tasks(path.with_name("challenges.json")))),
    *(Reader(name, imported) for name in ("a.jsonl", "a.json", "a.csv", "a.tsv", "a.jsonl.gz", "a.parquet", "a.arrow")),
    Reader("chat.jsonl", imported),
    Reader("saved/dataset_dict.json", lambda path: imported(path.parent)),
    Reader("saved/train/state.json", lambda path: imported(path.parent)),
]


def write_files(home: Path) -> None:
    """One small real file of each kind."""
    for name in ("evalsets", "trainsets", "submission_runs"):
        shutil.copytree(FIXTURES / "made_before" / name, home / name)
    shutil.copytree(FIXTURES / "made_before/studies", home / "workspace/studies")
    shutil.copytree(FIXTURES / "made_before/studies/before/trials/000", home / "run")
    shutil.copytree(FIXTURES / "chat/chatml", home / "tokenizer")
    shutil.copytree(FIXTURES / "datasets/saved", home / "saved")
    (home / "model").mkdir()
    shutil.copy(FIXTURES / "models/llama/config.json", home / "model/config.json")
    (home / "model/generation_config.json").write_text('{"eos_token_id": [1, 2], "temperature": 1.0}')
    (home / "model/model.safetensors").touch()
    (home / "model" / INDEX).write_text('{"metadata": {}, "weight_map": {"a": "model.safetensors"}}')
    (home / "space.yaml").write_text(SPACE)
    (home / "base.yaml").write_text(BASE)
    (home / "set.txt").write_text("train.max_steps=50\ndata.system=a b\ngenerate.stop=[a, b]\ndata.date=2026-01-02")
    (home / "challenges.json").write_text(json.dumps({"t1": GRID, "t2": GRID}))
    (home / "solutions.json").write_text(json.dumps({"t1": [[[3]]], "t2": [[[0, 1]]]}))
    twice = [{"attempt_1": [[1]], "attempt_2": [[2]]}]
    (home / "submission.json").write_text(json.dumps({"t1": twice, "t2": twice}))
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (home / "a.jsonl").write_text(lines)
    (home / "chat.jsonl").write_text(json.dumps(CHAT) + "\n" + json.dumps(CHAT))
    (home / "a.json").write_text(json.dumps(ROWS))
    (home / "a.csv").write_text('question,answer\n"1, 2?",3\n4,"5\n6"\n')
    (home / "a.tsv").write_text("question\tanswer\n1\t3\n4\t5\n")
    (home / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    table = pyarrow.Table.from_pylist(ROWS)
    parquet.write_table(table, home / "a.parquet")
    with pyarrow.OSFile(str(home / "a.arrow"), "wb") as file, pyarrow.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    stats = {str(path.relative_to(folder)): path.stat() for path in folder.rglob("*")}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items() if not name.endswith("stored.yaml")}


def fault(reader: Reader, path: Path) -> str | None:
    """What is wrong with how the reader takes the file; None if it reads it, or refuses it as it should."""
    try:
        with at_most(LIMIT_S):
            reader.read(path)
    except PodiumError as error:
        text = str(error)
        bad = next((c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c == "\u202e"), None)
        return f"{len(text)} characters, {bad!r} in {text[:300]!r}" if bad or len(text) > LONGEST or not text else None
    except (Exception, RecursionError) as error:  # noqa: BLE001 every other class is a fault
        return f"{type(error).__name__}: {str(error)[:300]}"
    return None


def most_kb() -> int:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def faults(home: Path, n: int, seed: int) -> Iterator[str]:
    """Give each reader its share of `n` mutated files."""
    for number in range(n):
        reader = READERS[number % len(READERS)]
        path = home / reader.path
        whole = path.read_bytes()
        path.write_bytes(Mutator(seed + number).mutated(path.name, whole))
        before, before_kb = files_below(home), most_kb()
        wrong = [fault(reader, path)]
        wrong += [f"wrote {name}" for name, _ in files_below(home).items() ^ before.items()]
        wrong += [f"took {most_kb() - before_kb} kB more"] * (most_kb() - before_kb > MOST_KB)
        yield from (f"{reader.path}, seed {seed + number}: {text}" for text in wrong if text)
        path.write_bytes(whole)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with whole files, which every test puts back."""
    home = tmp_path_factory.mktemp("readers")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PODIUM_HOME", str(home))
        patch.delenv("PODIUM_WORKSPACE", raising=False)
        patch.chdir(home)
        write_files(home)
        for reader in READERS:  # whole files are read, and every library is loaded before memory is measured
            reader.read(home / reader.path)
        yield home


@pytest.mark.parametrize("name", NAMED)
def test_each_attack_that_once_broke_a_reader(whole, name):
    file, text, said = NAMED[name]
    path = whole / file
    before = path.read_text()
    path.write_text(text.format(whole=before))
    try:
        reader = next(reader for reader in READERS if reader.path == file)
        assert fault(reader, path) is None
        if said:
            with pytest.raises(PodiumError, match=said):
                reader.read(path)
    finally:
        path.write_text(before)


@pytest.mark.parametrize(
    "file", ["run/predictions.jsonl", "evalsets/small_v1.jsonl", "chat.jsonl", "space.yaml", "a.csv"]
)
def test_a_byte_order_mark_is_skipped(whole, file):
    reader, path = next(reader for reader in READERS if reader.path == file), whole / file
    before = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + before)
    try:
        reader.read(path)
    finally:
        path.write_bytes(before)


def test_a_byte_order_mark_costs_no_prediction_its_score(tmp_path):
    lines = [json.dumps({"id": f"item-{n}", "text": str(2 * n)}) for n in range(12)]
    facts = {"section": "core", "category": "sum", "difficulty": "easy"}
    items = [{"id": f"item-{n}", "prompt": f"{n}?", "expected_answer": str(2 * n), **facts} for n in range(12)]
    (tmp_path / "set.jsonl").write_text("\n".join(map(json.dumps, items)), encoding="utf-8-sig")
    # As `cat` joins two files of which each begins with a mark.
    text = "\ufeff" + "\n".join(lines[:6]) + "\n\ufeff" + "\n".join(lines[6:])
    (tmp_path / "predictions.jsonl").write_text(text, encoding="utf-8")
    card = score_file(tmp_path / "predictions.jsonl", load_evalset(tmp_path / "set.jsonl"))
    assert (card.answer_correctness, card.malformed) == (100.0, ())


BOMBS = {"a.jsonl.gz": b" ", "b.jsonl.gz": b"\xff", "c.json.gz": b"[", "d.csv.gz": b"a,"}


@pytest.mark.parametrize(
    "name", ["a.jsonl.gz", *(pytest.param(name, marks=pytest.mark.slow) for name in list(BOMBS)[1:])]
)
def test_a_small_gzip_file_does_not_fill_the_memory(tmp_path, name):
    path = tmp_path / name
    with gzip.open(path, "wb", 1) as file:
        for _ in range(64):
            file.write(BOMBS[name] * (1 << 20))
    before_kb = most_kb()
    with at_most(LIMIT_S), pytest.raises(PodiumError, match=r"times its size|not UTF-8|nested more|not JSON"):
        imported(path)
    assert most_kb() - before_kb < MOST_KB


def test_offsets_beyond_the_end_of_an_arrow_file_are_refused(whole):
    """Arrow would read memory that is not there, which kills the process."""
    path = whole / "a.arrow"
    before = path.read_bytes()
    with pyarrow.memory_map(str(path)) as file:
        offsets = pyarrow.ipc.open_file(file).get_batch(0).column(0).buffers()[1].to_pybytes()[:12]
    assert before.count(offsets) >= 1
    path.write_bytes(before.replace(offsets, offsets[:4] + (2**30).to_bytes(4, "little") + offsets[8:]))
    try:
        with pytest.raises(PodiumError, match=r"cannot be read as Arrow .*out of bounds"):
            imported(path)
    finally:
        path.write_bytes(before)


def test_mutated_files_are_read_or_refused_in_one_line(whole):
    assert list(faults(whole, 500, seed=0)) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_many_mutated_files(whole, part):
    assert list(faults(whole, 5_000, seed=1_000_000 * (part + 1))) == []
