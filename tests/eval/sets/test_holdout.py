import json
import random

import pytest

from eval.sets.contamination import contamination
from eval.sets.evalset import load_evalset
from eval.sets.holdout import hold_out, wanted_items
from podium.core.errors import UsageError
from podium.core.records import Conversation, Message, ReasoningTrace

WORDS = [f"word{n}" for n in range(400)]


def story(seed: int) -> list[str]:
    return random.Random(seed).choices(WORDS, k=30)


def variant(seed: int, number: int) -> str:
    """The same story with another first and last word: a near-duplicate of the others with this seed."""
    words = story(seed)
    return " ".join([f"a{number}", *words[1:-1], f"b{number}"])


def traces(prompts):
    return [ReasoningTrace(prompt=prompt, final_answer="1") for prompt in prompts]


def overlap(tmp_path, kept, held):
    """What Podium's own check of contamination says about the two parts."""
    (tmp_path / "train").mkdir()
    lines = [{"prompt": prompt, "final_answer": "1"} for prompt in kept]
    (tmp_path / "train/traces.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    facts = {"expected_answer": "1", "section": "s", "category": "c", "difficulty": "easy"}
    lines = [{"id": str(number), "prompt": prompt, **facts} for number, prompt in enumerate(held)]
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = contamination(load_evalset(tmp_path / "held.jsonl"), tmp_path / "train")
    return len(found.exact), len(found.near)


@pytest.mark.parametrize("holdout", ["12", "0.2"])
def test_near_duplicates_stay_on_one_side(tmp_path, holdout):
    prompts = [variant(seed, number) for number in range(4) for seed in range(15)]
    parts = hold_out(traces(prompts), holdout)
    kept, held = ([prompts[place] for place in places] for places in (parts.kept, parts.held))
    assert (len(kept), len(held)) == (48, 12)
    assert overlap(tmp_path, kept, held) == (0, 0)
    assert len({place % 15 for place in parts.held}) == 3  # whole groups of four
    assert sorted(parts.held) == list(parts.held)


def test_a_chain_of_near_duplicates_is_one_group(tmp_path):
    """Each prompt shares most of its words with the next one only."""
    words = random.Random(0).choices(WORDS, k=120)
    chain = [" ".join(words[start : start + 30]) for start in range(0, 90, 10)]
    others = [" ".join(story(seed)) for seed in range(1, 12)]
    parts = hold_out(traces([*chain, *others]), "5")
    assert len(parts.held) == 5
    assert not {place for place in parts.held if place < len(chain)}  # nine prompts do not fit into five
    prompts = [*chain, *others]
    assert overlap(tmp_path, [prompts[i] for i in parts.kept], [prompts[i] for i in parts.held]) == (0, 0)


def test_repeated_prompts_are_one_item_and_go_together():
    prompts = [f"{number}+1" for number in range(10)] * 3
    parts = hold_out(traces(prompts), "4")
    assert len(parts.held) == 4
    assert {prompts[place] for place in parts.held}.isdisjoint(prompts[place] for place in parts.kept)
    assert len(parts.kept) == 6 * 3


def test_the_choice_does_not_depend_on_the_order_of_the_file():
    prompts = [" ".join(story(seed)) for seed in range(20)]
    chosen = {prompts[place] for place in hold_out(traces(prompts), "0.3").held}
    reverse = prompts[::-1]
    assert {reverse[place] for place in hold_out(traces(reverse), "0.3").held} == chosen


@pytest.mark.parametrize(
    ("holdout", "message"),
    [
        ("x", "--holdout x: must be a count such as 100, or a share such as 0.1"),
        ("1.5", "must be a count"),
        ("0", "must be a count"),
        ("-1", "must be a count"),
        ("nan", "must be a count"),
        ("inf", "must be a count"),
        ("1.0", "must be a count"),  # one prompt, or all?
        ("10", "--holdout 10: is 10 of 10 distinct prompts, must be 1 to 9"),
        ("0.01", "--holdout 0.01: is 0 of 10 distinct prompts, must be 1 to 9"),
    ],
)
def test_bad_numbers(holdout, message):
    with pytest.raises(UsageError, match=message):
        wanted_items(holdout, 10)


def test_a_file_of_one_prompt_cannot_be_split():
    with pytest.raises(UsageError, match="--holdout 1: the file has one distinct prompt; to hold one out"):
        wanted_items("1", 1)


def test_nothing_but_near_duplicates():
    with pytest.raises(UsageError, match="--holdout 2: the prompts are near-duplicates of one another"):
        hold_out(traces(variant(0, number) for number in range(6)), "2")


def conversation(*texts: str) -> Conversation:
    roles = ("user", "assistant")
    return Conversation(messages=tuple(Message(role=roles[i % 2], content=text) for i, text in enumerate(texts)))


def test_a_conversation_teaches_each_of_its_turns():
    """The prompt of a short conversation is a turn of the long one, so both are on one side."""
    long = conversation("What is two and two?", "4", "And three and three?", "6")
    short = conversation("And three and three?", "6")
    others = [conversation(" ".join(story(seed)), "x") for seed in range(6)]
    for holdout in "123456":
        held = set(hold_out([long, short, *others], holdout).held)
        assert len(held & {0, 1}) in (0, 2)
