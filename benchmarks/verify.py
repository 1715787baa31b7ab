"""Measures `podium verify`, and whether it finds flipped bits: `python -m benchmarks.verify [--json]`.

A run of 1,000 items with the tiny model is packaged twice, once with a notebook of 100 MB in its home. Each package is
verified in a process of its own, whose largest memory is measured. Then single bits of the small one are flipped, in
turn in the data of each member, in each of its headers and in the last record.
"""

import contextlib
import io
import json
import random
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.home import temporary_home
from benchmarks.report import Report, arguments

N_ITEMS = 1000
LARGE_BYTES = 100_000_000
BASE = {
    "data.trainset": "tiny-reasoning",
    "data.max_seq_len": 50,
    "eval.evalset": "thousand",
    "eval.submission_split": "all",
    "generate.batch_size": 128,
    "generate.max_prompt_tokens": 24,
    "generate.max_new_tokens": 8,
    "train.max_steps": 10,
    "train.batch_size": 4,
}
# VmHWM and not ru_maxrss, which a process inherits from the one that started it.
CHILD = """
import sys
from podium.cli.main import main
try:
    main(["verify", sys.argv[1]])
finally:
    print("peak_kb", next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def mutations(data: bytes, n: int, seed: int) -> Iterator[tuple[int, int, bytes]]:
    """`n` times (position, bit, copy of a package with that bit flipped), spread over all its parts."""
    from podium.submission.packaging.layout import read_members

    members, draw = read_members(io.BytesIO(data), len(data)), random.Random(seed)
    (entry,) = struct.unpack_from("<L", data, len(data) - 6)  # where the directory begins
    places = [(len(data) - 22, len(data))]
    for member in members:
        places.append((member.offset, member.offset + member.size))
        places.append((member.offset - 30 - len(member.name), member.offset))
        places.append((entry, entry + 46 + len(member.name)))
        entry += 46 + len(member.name)
    places = [place for place in places if place[0] < place[1]]
    draw.shuffle(places)
    for number in range(n):
        position, bit = draw.randrange(*places[number % len(places)]), draw.randrange(8)
        changed = bytearray(data)
        changed[position] ^= 1 << bit
        yield position, bit, bytes(changed)


def missed(package: Path, folder: Path, n: int, seed: int = 0) -> list[tuple[int, int]]:
    """The (position, bit) of the flipped bits that verify does not find."""
    from podium.submission.packaging.opened import verify_package

    path, found = folder / "mutated.zip", []
    for position, bit, data in mutations(package.read_bytes(), n, seed):
        path.write_bytes(data)
        if verify_package(path).passed:
            found.append((position, bit))
    return found


def make_run(home: Path) -> None:
    """A complete submission `thousand` in `home`."""
    from podium.core.config import RunConfig
    from podium.core.files import write_jsonl
    from podium.core.promotion import PromotionRecord
    from podium.core.states import State
    from podium.submission.lock import write_lock
    from podium.submission.run_once import submit

    rows = [
        {
            "id": f"item-{n:04}",
            "prompt": f"{n} plus 1?",
            "expected_answer": str(n + 1),
            "section": f"section {n % 5}",
            "category": f"category {n % 20}",
            "difficulty": ("easy", "medium", "hard")[n % 3],
        }
        for n in range(N_ITEMS)
    ]
    write_jsonl(home / "evalsets/thousand.jsonl", rows)
    record = PromotionRecord(
        study="thousand-001",
        trial=0,
        config=RunConfig().with_overrides(BASE).model_dump(mode="json"),
        overrides={},
        metric="dev/answer_correctness",
        direction="maximize",
        value=0.0,
        state=State.COMPLETE,
    )
    write_lock(record, "thousand")
    submit("thousand")


def measured(package: Path) -> tuple[float, float]:
    """(seconds, peak memory in MB) of `podium verify` in a process of its own."""
    started_s = time.perf_counter()
    done = subprocess.run((sys.executable, "-c", CHILD, str(package)), capture_output=True, text=True)
    seconds = time.perf_counter() - started_s
    if done.returncode:
        raise SystemExit(f"{package.name} does not verify:\n{done.stdout}{done.stderr}")
    (peak,) = (line for line in done.stdout.splitlines() if line.startswith("peak_kb "))
    return seconds, int(peak.split()[1]) / 1000


def main() -> None:
    options = arguments(__doc__, mutations=1000)
    report = Report("verify")
    with temporary_home() as home:
        with contextlib.redirect_stdout(io.StringIO()):
            make_run(home)
        from podium.submission.packaging.package import package

        for what, size in ((f"{N_ITEMS:,} items", 0), (f"{LARGE_BYTES / 1e6:.0f} MB", LARGE_BYTES)):
            if size:
                notebook = home / "notebooks/kaggle_submission.ipynb"
                notebook.parent.mkdir()
                notebook.write_text(json.dumps({"cells": "x" * size}))
            started_s = time.perf_counter()
            made = package("thousand")
            report.figure(f"{what}: podium package", time.perf_counter() - started_s, "s")
            seconds, peak_mb = measured(made.path)
            report.figure(f"{what}: size of the package", made.size / 1e6, "MB")
            report.figure(f"{what}: podium verify", seconds, "s")
            report.goal(f"{what}: peak memory of podium verify", peak_mb, "< 200", "MB")
            if not size:
                small = made.path.rename(home / "small.zip")
        started_s = time.perf_counter()
        n_missed = len(missed(small, home, options.mutations))
        report.goal(f"of {options.mutations} flipped bits, not found", n_missed, "== 0")
        report.figure(f"{options.mutations} mutations", time.perf_counter() - started_s, "s")
    report.print(options.json)


if __name__ == "__main__":
    main()
