"""Compares scoring with lm-evaluation-harness: items/s, the answers found in GSM8K, and who is right about which.

The pairs in tests/eval/scorers/answer_pairs.jsonl were judged by hand. The scorers `answer` and `math` and the two
filters of the harness are held against that judgement, and every pair on which they differ is listed.

The harness is not a dependency of Podium: `--harness PYTHON`, or PODIUM_HARNESS, names the Python of an environment
with lm_eval. PODIUM_REALDATA names the folder with gsm8k/. Without one of them, the report says what was not measured.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.report import Report, arguments
from eval.answers.extract import Extracted, extract, last_number
from eval.answers.normalise import normalise
from eval.scorecard import score_predictions
from podium.core.files import read_jsonl
from podium.core.records import Prediction, Sample

Finder = Callable[[str], Extracted | None]
ROUNDS = 3
FACTS: dict[str, Any] = {"prompt": "p", "section": "core", "category": "gsm8k", "difficulty": "easy"}
PAIRS = Path(__file__).parents[1] / "tests/eval/scorers/answer_pairs.jsonl"
SCORERS_COMPARED = ["answer", *(["math"] if find_spec("math_verify") else [])]
# Runs in the harness's environment. The filters and the metric's settings are those of the harness's gsm8k task.
HARNESS = """
import json, sys, time
import lm_eval, yaml
from pathlib import Path
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import exact_match_fn
from lm_eval.filters import build_filter_ensemble

task = yaml.safe_load((Path(lm_eval.__file__).parent / "tasks/gsm8k/gsm8k.yaml").read_text())
settings = {key: task["metric_list"][0][key] for key in ("regexes_to_ignore", "ignore_case", "ignore_punctuation")}
filters = {
    one["name"]: build_filter_ensemble(
        one["name"], [[part["function"], {k: v for k, v in part.items() if k != "function"}] for part in one["filter"]]
    )
    for one in task["filter_list"]
}
for line in sys.stdin:
    request = json.loads(line)
    found, right, seconds = {}, {}, {}
    for name, filter in filters.items():
        began = time.perf_counter()
        instances = [
            Instance(request_type="generate_until", doc={}, arguments=("", {}), idx=0, resps=[text])
            for text in request["texts"]
        ]
        filter.apply(instances)
        found[name] = [instance.filtered_resps[name] for instance in instances]
        right[name] = [
            float(exact_match_fn(references=[gold], predictions=[answer], **settings)["exact_match"])
            for gold, answer in zip(request["expected"], found[name])
        ]
        seconds[name] = time.perf_counter() - began
    reply = {"version": lm_eval.__version__, "seconds": seconds}
    print(json.dumps({**reply, **({"found": found, "right": right} if request["wanted"] else {})}), flush=True)
"""


class Harness:
    """lm-evaluation-harness in a separate process."""

    def __init__(self, python: str) -> None:
        self._process = subprocess.Popen(
            [python, "-W", "ignore", "-c", HARNESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def score(self, texts: Sequence[str], expected: Sequence[str], wanted: bool = False) -> dict[str, Any]:
        """Score `texts`: seconds per filter with the metric, and with `wanted` each filter's answers and values."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"texts": texts, "expected": expected, "wanted": wanted}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def main() -> None:
    options = arguments(__doc__, items=100_000, harness=os.environ.get("PODIUM_HARNESS", ""))
    report = Report("score")
    worked = gsm8k()
    harness = Harness(options.harness) if options.harness else None
    try:
        speed(report, harness, worked or synthetic(), options.items)
        if harness and worked:
            agreement(report, harness, "worked answers", worked, extract)
            bare = [(text.rpartition("\n####")[0], right) for text, right in worked]
            agreement(report, harness, "without their last line", bare, last_number)
            judged(report, harness)
        else:
            lacking = "PODIUM_REALDATA" if harness else "--harness PYTHON"
            report.figure("agreement with the harness", f"not measured: {lacking} is not set")
    finally:
        if harness:
            harness.close()
    report.print(options.json)


def speed(report: Report, harness: Harness | None, rows: Sequence[tuple[str, str]], n_items: int) -> None:
    """Compare items/s. Runs are interleaved and the best of each counts: other load can only slow a run down."""
    texts, expected = zip(*(rows[i % len(rows)] for i in range(n_items)), strict=True)
    samples = [Sample(id=str(i), expected_answer=right, **FACTS) for i, right in enumerate(expected)]
    predictions = [Prediction(id=str(i), text=text) for i, text in enumerate(texts)]
    ours, theirs, version = [], [], ""
    for _ in range(ROUNDS):
        began = time.perf_counter()
        score_predictions(samples, predictions)
        ours.append(n_items / (time.perf_counter() - began))
        if harness:
            done = harness.score(texts, expected)
            version = done["version"]
            theirs.append(n_items / sum(done["seconds"].values()))
    report.figure("podium: strict and lenient, with reasons, groups and intervals", max(ours), "items/s")
    if theirs:
        report.figure(f"lm_eval {version}: strict-match and flexible-extract", max(theirs), "items/s")
    report.goal(f"{n_items} predictions scored", n_items / max(ours), "< 10", "s")
    report.goal("podium over lm_eval", max(ours) / max(theirs) if theirs else None, ">= 4", "times")


def agreement(report: Report, harness: Harness, what: str, rows: Sequence[tuple[str, str]], find: Finder) -> None:
    """Compare the answers of the harness's flexible extraction with those of `find`; list every text that differs."""
    texts, expected = zip(*rows, strict=True)
    theirs = [cleaned(found) for found in harness.score(texts, expected, wanted=True)["found"]["flexible-extract"]]
    ours = [number(found.answer) if found else "" for found in map(find, texts)]
    other_number = [i for i in range(len(rows)) if number(theirs[i]) != ours[i]]
    other_text = [i for i in range(len(rows)) if theirs[i] != ours[i] and i not in set(other_number)]
    report.figure(f"GSM8K {what}: texts", len(rows))
    report.figure(f"GSM8K {what}: right by lm_eval", sum(map(str.__eq__, theirs, expected)))
    report.figure(f"GSM8K {what}: right by podium", sum(map(str.__eq__, ours, expected)))
    report.figure(f"GSM8K {what}: the same number, but not the same text for lm_eval (16.00)", len(other_text))
    report.goal(f"GSM8K {what}: the same number", 1 - len(other_number) / len(rows), ">= 0.999")
    for i in (*other_number, *other_text):
        kind = "different number" if i in set(other_number) else "different text only"
        end = " ".join(texts[i][-60:].split())
        found = f"lm_eval {theirs[i]!r}, podium {ours[i]!r}, right {expected[i]!r}"
        report.figure(f"{kind}: ...{end}", found)


def judged(report: Report, harness: Harness) -> None:
    """Hold every scorer against the pairs judged by hand; list the pairs on which they differ, and who is right."""
    rows = [row for _, row in read_jsonl(PAIRS)]
    texts, expected = [row["prediction"] for row in rows], [row["expected"] for row in rows]
    verdicts = [row["verdict"] == "right" for row in rows]
    found = {name: [value == 1 for value in values(name, rows)] for name in SCORERS_COMPARED}
    theirs = harness.score(texts, expected, wanted=True)["right"]
    found |= {f"lm_eval {name}": [value == 1 for value in right] for name, right in theirs.items()}
    for name, says in found.items():
        taken = sum(says[i] and not verdicts[i] for i in range(len(rows)))
        missed = sum(verdicts[i] and not says[i] for i in range(len(rows)))
        what = f"{taken} wrong ones taken, {missed} of {sum(verdicts)} right ones missed"
        report.figure(f"{len(rows)} judged pairs: {name}", what)
    listed = [says for name, says in found.items() if not name.endswith("strict-match")]  # it reads `####` alone
    for i, row in enumerate(rows):
        if len({says[i] for says in listed}) > 1:
            agree = ", ".join(name for name, says in found.items() if says[i] == verdicts[i])
            report.figure(f"{row['kind']}: {row['prediction']!r:.60} for {row['expected']!r}, {row['verdict']}", agree)


def values(scorer: str, rows: Sequence[dict[str, str]]) -> list[float]:
    samples = [Sample(id=str(i), expected_answer=row["expected"], **FACTS) for i, row in enumerate(rows)]
    predictions = [Prediction(id=str(i), text=row["prediction"]) for i, row in enumerate(rows)]
    return [score.value for score in score_predictions(samples, predictions, scorer).scores]


def cleaned(found: str) -> str:
    """The answer as the harness's metric compares it: without commas, dollar signs and a final full stop."""
    return found.replace(",", "").replace("$", "").removesuffix(".")


def number(answer: str) -> str:
    return normalise(answer.replace("$", "").removesuffix("%"))


def gsm8k() -> list[tuple[str, str]]:
    """(worked answer, result) of every problem; empty if the data is missing."""
    folder = Path(os.environ.get("PODIUM_REALDATA", "")) / "gsm8k"
    if not folder.is_dir():
        return []
    answers = [row["answer"] for part in ("test", "train") for _, row in read_jsonl(folder / f"{part}.jsonl")]
    return [(answer, cleaned(answer.rpartition("#### ")[2].strip())) for answer in answers]


def synthetic() -> list[tuple[str, str]]:
    return [(f"There are {i} boxes of 7, so {i} x 7 = {7 * i}.\n#### {7 * i:,}", str(7 * i)) for i in range(5000)]


if __name__ == "__main__":
    main()
