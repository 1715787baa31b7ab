"""The solver here reads only the prompt's text and shares nothing with the recipe."""

import re
import subprocess
import sys
from collections import Counter

import pytest
from tokenizers import Tokenizer

from podium.core.config import load_config
from podium.core.errors import UsageError
from podium.core.files import to_line
from podium.core.hashing import sha256_bytes, sha256_file
from podium.core.paths import shipped
from podium.core.records import TrainsetManifest, read_record
from trainer.data.layouts import completion_text, prompt_text
from trainer.recipes import SEED, evalset_samples, tiny_reasoning, trainset_recipe

TRACES = tiny_reasoning.traces(SEED)
SAMPLES = tiny_reasoning.samples(SEED)
WORDS = {"plus": "+", "minus": "-", "double": "2*", "half of": "0.5*"}
ORDINALS = {"first": 0, "second": 1, "last": -1}


def solve(prompt: str) -> str:
    if found := re.fullmatch(r"(?:compute )?(\d(?:[+-]\d)+)(?:=\?)?", prompt):
        return str(eval(found[1]))
    if found := re.fullmatch(r"(double|half of) (\d)((?: (?:plus|minus) \d)+)", prompt):
        rest = found[3].replace("plus", "+").replace("minus", "-")
        return f"{eval(WORDS[found[1]] + found[2] + rest):g}"
    if found := re.fullmatch(r"(largest|smallest) of (\d(?:,\d)+)", prompt):
        ordered = sorted(found[2].split(","))
        return ordered[-1] if found[1] == "largest" else ordered[0]
    if found := re.fullmatch(r"(?:from|start) ([a-z]):((?: up| down)+)", prompt):
        return chr(ord(found[1]) + found[2].count("up") - found[2].count("down"))
    if found := re.fullmatch(r"(first|second|last) letter of ([a-z](?:-[a-z])+)", prompt):
        return found[2].replace("-", "")[ORDINALS[found[1]]]
    if found := re.fullmatch(r"(?:reverse|spell) ([a-z](?:-[a-z])+)(?: backwards)?", prompt):
        return "".join(reversed(found[1]))
    if found := re.fullmatch(r"how many letters in ([a-z](?:-[a-z])+)", prompt):
        return str(len(found[1].split("-")))
    raise AssertionError(f"no rule reads {prompt!r}")


def check_step(category: str, prompt: str, number: int, content: str) -> None:
    """One step, by itself and against the prompt."""
    letters = prompt.split()[-1].split("-")
    if category in ("sum", "scale"):
        left, right = content.split("=")
        assert eval(left) == int(right)
    elif category == "extreme":
        one, other, winner = re.fullmatch(r"(\d),(\d):(\d)", content).groups()
        assert winner == (max if prompt.startswith("largest") else min)(one, other)
        assert other == re.findall(r"\d", prompt)[number]
    elif category == "walk":
        before, after = content.split(">")
        assert ord(after) - ord(before) == {"up": 1, "down": -1}[prompt.split()[1 + number]]
    elif category == "letter":
        assert re.fullmatch(r"letter (\d) is ([a-z])", content)
        assert letters[int(content[7]) - 1] == content[-1]
    elif category == "reverse":
        spelled = prompt.removesuffix(" backwards").split()[-1].split("-")
        assert content == spelled[-number]
    else:
        assert content == f"{letters[number - 1]}:{number}"


def test_every_answer_of_both_sides_is_right():
    for row in TRACES:
        assert row.final_answer == solve(row.prompt), row
    for row in SAMPLES:
        assert row.expected_answer == solve(row.prompt), row


def test_every_step_is_right_and_the_last_one_gives_the_answer():
    for row in TRACES:
        assert [step.i for step in row.steps] == list(range(1, len(row.steps) + 1))
        for step in row.steps:
            check_step(row.meta["category"], row.prompt, step.i, step.content)
        assert row.steps[-1].content.endswith(row.final_answer[-1])


def test_chained_steps_start_from_the_result_before():
    for row in TRACES:
        if row.meta["category"] in ("sum", "scale", "extreme", "walk"):
            for before, after in zip(row.steps, row.steps[1:], strict=False):
                assert after.content.startswith(before.content[-1]), row


def test_sizes_groups_and_length():
    assert len(TRACES) == 6000
    assert len(SAMPLES) == 480
    assert Counter(row.section for row in SAMPLES) == {"core": 216, "trace_sensitive": 264}
    assert set(Counter(row.category for row in SAMPLES)) == set(tiny_reasoning.CATEGORIES)
    assert min(Counter(row.difficulty for row in SAMPLES).values()) >= 80
    assert {"category", "section", "difficulty"} == set(TRACES[0].meta)


def test_every_example_fits_the_lengths_of_the_shipped_config():
    tokenizer = Tokenizer.from_file(str(shipped() / "trainer/tiny/tokenizer.json"))
    config = load_config(shipped() / "search_spaces/base/sft_tiny.yaml")
    for row in TRACES:
        n_prompt = len(tokenizer.encode(prompt_text(row.prompt)).ids)
        n_completion = len(tokenizer.encode(completion_text(row), add_special_tokens=False).ids) + 1  # EOS
        assert n_prompt <= config.generate.max_prompt_tokens, row
        assert n_completion <= config.generate.max_new_tokens, row
        assert n_prompt + n_completion <= config.data.max_seq_len + 1, row  # the last token is only a target


def test_no_prompt_twice_and_none_on_both_sides():
    trained, asked = [row.prompt for row in TRACES], [row.prompt for row in SAMPLES]
    assert len(set(trained)) == len(trained)
    assert len(set(asked)) == len(asked)
    assert not set(trained) & set(asked)
    assert {tiny_reasoning.side(prompt) for prompt in trained} == {"train"}


@pytest.mark.parametrize("seed", [0, 7])
def test_sides_are_disjoint_across_seeds(seed: int):
    other = tiny_reasoning.traces(seed)
    assert not {row.prompt for row in other} & {row.prompt for row in SAMPLES}
    assert other != TRACES


def test_committed_files_are_what_the_recipe_makes():
    text = "".join(to_line(row.model_dump(mode="json")) for row in TRACES)
    manifest = read_record(TrainsetManifest, shipped() / "trainsets/tiny-reasoning/manifest.json")
    assert manifest.sha256 == sha256_bytes(text.encode())
    assert manifest.recipe_version == trainset_recipe("tiny-reasoning").version
    lines = "".join(to_line(row.model_dump(mode="json", exclude_defaults=True)) for row in evalset_samples("tiny_v1"))
    assert sha256_bytes(lines.encode()) == sha256_file(shipped() / "evalsets/tiny_v1.jsonl")


def test_bytes_do_not_depend_on_the_hash_seed():
    code = (
        "import hashlib\nfrom trainer.recipes import tiny_reasoning as r\n"
        "print(hashlib.sha256(repr((r.traces(42), r.samples(42))).encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, cwd=shipped(), capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def test_a_category_without_enough_prompts_says_so():
    with pytest.raises(RuntimeError, match=r"category 'scale' has only [0-9]+ prompts on the eval side; ask for fewer"):
        for _ in zip(range(1000), tiny_reasoning.problems("scale", "eval", SEED), strict=False):
            pass


def test_unknown_recipes():
    with pytest.raises(UsageError, match="trainset recipe 'nope', must be one of tiny-reasoning"):
        trainset_recipe("nope")
    with pytest.raises(UsageError, match="evalset recipe 'nope', must be one of tiny_v1"):
        evalset_samples("nope")
