"""Compares importing and tokenising conversations with the library `datasets`, by the same tokenizer (Linux).

    bench/bin/python -m benchmarks.data [--conversations 100000] [--rounds 3] [--tokenizer FOLDER] [--json]

The benchmark writes the conversations, 2 to 8 turns of ShareGPT's layout with a message list, to one JSONL file. Podium
imports it as a trainset and tokenises that. `datasets` loads it and maps `apply_chat_template` of transformers over it
in batches. Each run is a process of its own, they take turns, and each starts without a cache. The time is that of the
work without the imports of Python modules; the peak is the largest resident set of the process. Both must give the same
token ids. The tokenizer is the built-in one with a ChatML template, unless a folder is given.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.report import Report, arguments

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

WORDS = ["the", "model", "learns", "from", "data", "what", "is", "given", "and", "how", "many", "apples", "has", "she"]
# Each is given the file and the folders of the tokenizer and of its output, and sets `n`, `total` and `seconds`.
SIDES = {
    "podium": """
from pathlib import Path
import numpy as np
from podium.core.config_sections import DataConfig
from podium.core.formats import choose_format
from podium.core.sources import Source
from trainer.data.importers import import_examples
from trainer.data.rows import load_trainset
from trainer.data.tokenizer import Tokenizer
from trainer.data.trainsets import import_trainset
from transformers import AutoTokenizer  # which Podium imports when it needs it
started_s = time.perf_counter()
chosen, rows = choose_format(Source(file).rows(), "auto")
folder = Path(out) / "trainset"
import_trainset(import_examples(rows, chosen), chosen.name, folder, name="conversations")
found = load_trainset(folder, Tokenizer(Path(tokenizer_folder)), DataConfig(template="chat"))
n, total = len(found.ids), int(found.ids.sum(dtype=np.int64))
seconds = time.perf_counter() - started_s
""",
    "datasets": """
import numpy as np
from datasets import load_dataset
from transformers import AutoTokenizer
started_s = time.perf_counter()
tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
rows = load_dataset("json", data_files=file, split="train", cache_dir=out)
rows = rows.map(
    lambda batch: {"ids": tokenizer.apply_chat_template(batch["messages"], tokenize=True, return_dict=False)},
    batched=True,
    remove_columns=rows.column_names,
)
n = total = 0
for batch in rows.with_format("arrow").iter(1000):
    ids = batch["ids"].combine_chunks().flatten().to_numpy()
    n, total = n + len(ids), total + int(ids.sum(dtype=np.int64))
seconds = time.perf_counter() - started_s
""",
}
MEASURED = """
import json, re, sys, time
file, tokenizer_folder, out = sys.argv[1:]
{side}
status = open("/proc/self/status").read()
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024
print(json.dumps({{"seconds": seconds, "peak": peak, "n": n, "total": total}}))
"""


def main() -> None:
    options = arguments(__doc__, conversations=100_000, rounds=3, tokenizer="")
    if find_spec("datasets") is None:
        sys.exit("error: the package datasets is missing; install benchmarks/requirements-bench.txt")
    report = Report("data")
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as name:
        folder = Path(name)
        file = write_conversations(folder / "conversations.jsonl", options.conversations)
        tokenizer = Path(options.tokenizer) if options.tokenizer else write_tokenizer(folder / "tokenizer")
        found: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
        for _ in range(options.rounds):
            for side, runs in found.items():
                runs.append(measure(side, file, tokenizer, folder / "out"))
        show(report, found, file.stat().st_size)
    report.print(options.json)


def show(report: Report, found: dict[str, list[dict[str, Any]]], size: int) -> None:
    """Raises ValueError if the two sides have other tokens."""
    tokens = {(run["n"], run["total"]) for runs in found.values() for run in runs}
    if len(tokens) > 1:
        raise ValueError(f"the sides have other tokens (number, sum of ids): {sorted(tokens)}")
    report.figure("conversations", size / 1e6, "MB")
    report.figure("tokens", next(iter(tokens))[0])
    seconds = {side: statistics.median(run["seconds"] for run in runs) for side, runs in found.items()}
    peaks = {side: statistics.median(run["peak"] for run in runs) / 1e9 for side, runs in found.items()}
    for side in found:
        report.figure(f"{side}: import and tokenise", seconds[side], "s")
        report.figure(f"{side}: peak memory", peaks[side], "GB")
    report.goal("datasets over podium, seconds", seconds["datasets"] / seconds["podium"], ">= 1.0", "times")
    report.goal("podium over datasets, peak memory", peaks["podium"] / peaks["datasets"], "<= 1.0", "times")


def measure(side: str, file: Path, tokenizer: Path, out: Path) -> dict[str, Any]:
    """Run one side in a new process, with an empty folder for its output."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    code = MEASURED.format(side=SIDES[side])
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), str(tokenizer), str(out)],
        env=environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def write_conversations(path: Path, n: int) -> Path:
    """Conversations of 2 to 8 turns with 5 to 80 words each, the same at every call."""
    rng = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for number in range(n):
            turns = [
                {"role": role, "content": f"{number}: {' '.join(rng.choices(WORDS, k=rng.randint(5, 80)))}."}
                for _ in range(rng.randint(1, 4))
                for role in ("user", "assistant")
            ]
            file.write(json.dumps({"messages": turns}) + "\n")
    return path


def write_tokenizer(folder: Path) -> Path:
    """The built-in model's tokenizer with a ChatML template and its two tokens."""
    from tokenizers import Tokenizer

    from trainer.model.sources import TINY

    folder.mkdir()
    tokenizer = Tokenizer.from_file(str(TINY / "tokenizer.json"))
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = json.loads((TINY / "tokenizer_config.json").read_text())
    config |= {"chat_template": CHATML, "eos_token": "<|im_end|>", "tokenizer_class": "PreTrainedTokenizerFast"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


if __name__ == "__main__":
    main()
