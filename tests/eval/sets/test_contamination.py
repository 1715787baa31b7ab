import pytest

from eval.sets.contamination import contamination, most_similar
from eval.sets.evalset import load_evalset
from podium.core.errors import UsageError
from podium.core.files import read_jsonl, write_jsonl
from podium.core.hashing import sha256_file

STORY = "Max bought stamps at the post office and 16 of them had a snowflake design. How many had none of it at all?"


@pytest.fixture
def check(evalset_file, tmp_path):
    """`check(items, prompts)`: the fact about an evalset of these prompts and a trainset of those."""

    def run(items, prompts):
        evalset = load_evalset(evalset_file(*({"id": f"i{n}", "prompt": item} for n, item in enumerate(items))))
        write_jsonl(tmp_path / "train/traces.jsonl", [{"prompt": prompt, "final_answer": "1"} for prompt in prompts])
        return contamination(evalset, tmp_path / "train")

    return run


def test_the_fact_names_files_and_items(check, tmp_path):
    fact = check(["1+1=?", STORY, "other"], ["1+1=? ", "x", f"Q: {STORY} A:"])
    assert (fact.exact, fact.n_items) == (("i0",), 3)
    assert [(found.id, found.line, found.shared) for found in fact.near] == [("i1", 3, 1.0)]
    assert (fact.evalset, fact.trainset) == ("set", "train")
    assert fact.evalset_sha256 == sha256_file(tmp_path / "set.jsonl")
    assert fact.trainset_sha256 == sha256_file(tmp_path / "train/traces.jsonl")


@pytest.mark.parametrize(
    ("item", "prompt", "near"),
    [
        (STORY, STORY.upper(), False),  # not near: the same
        (STORY, STORY.replace("Max", "Bella"), True),
        (STORY, STORY.replace("16", "20"), True),
        (STORY, STORY + " Explain it step by step, please.", True),
        (STORY, STORY.replace("Max", "Bella").replace("16", "20").replace("snowflake", "truck"), False),  # 12 of 19
        (STORY, "Max bought stamps at the post office", False),
        (STORY, " ".join(reversed(STORY.split())), False),
        ("What is 5 + 3?", "what is 5+3", True),
        ("What is 5 + 3?", "What is 5 + 3 + 1?", False),  # too short to be near: it would have to be the same
        ("What is 5 + 3?", "What is 5 - 3?", False),
        ("reverse a b c", "what is reverse a b c d", False),
    ],
)
def test_near_duplicates(check, item, prompt, near):
    fact = check([item], ["something else entirely", prompt])
    assert [found.line for found in fact.near] == ([2] if near else [])


def test_the_most_similar_come_first_and_of_equals_the_first_trace(check):
    half = STORY.replace("16 of them", "some of these")
    fact = check([half, STORY], ["x", STORY + " Really?", STORY + " Sure?"])
    assert [(found.id, found.line) for found in fact.near] == [("i1", 2), ("i0", 2)]
    assert 0.5 <= fact.near[1].shared < fact.near[0].shared == 1.0


def test_what_many_items_have_in_common_says_nothing(check):
    ask = "Think about the question step by step and then write nothing but the letter of the right choice. Which is "
    items = [f"{ask}{word} {word} {word} {word} {word}?" for word in ("red", "green", "blue", "black")]
    assert check(items, [f"{ask}a colour?"]).near == ()
    assert [found.id for found in check(items, [f"{ask}blue blue blue blue blue or so?"]).near] == ["i2"]


def test_nothing_alike():
    assert most_similar(["a b c d e f"], []) == [(0, 0.0)]
    assert most_similar([], ["a"]) == []


def test_a_malformed_trainset_is_named(check, tmp_path):
    check(["a"], ["b"])
    path = tmp_path / "train/traces.jsonl"
    path.write_text('{"prompt": "p"}\n')
    with pytest.raises(UsageError, match=r"traces.jsonl:1: final_answer is missing"):
        contamination(load_evalset(tmp_path / "set.jsonl"), tmp_path / "train")


@pytest.mark.realdata
def test_two_items_of_gsm8k_are_nearly_in_its_training_set(realdata):
    questions = [
        [row["question"] for _, row in read_jsonl(realdata / f"gsm8k/{part}.jsonl")] for part in ("test", "train")
    ]
    near = [questions[0][i][:20] for i, (_, shared) in enumerate(most_similar(*questions)) if shared >= 0.5]
    assert near == ["A plane travels 1200", "Max bought stamps at"] or near == near[::-1]


def talk(*contents):
    """Turns of the user and of the assistant in turn."""
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(contents)]


def test_every_user_turn_of_a_conversation_is_a_training_prompt(tmp_path):
    lines = [{"messages": talk("Hello", "Hi", STORY, "2", "Why?", "So.")}, {"prompt": "other", "final_answer": "1"}]
    write_jsonl(tmp_path / "train/traces.jsonl", lines)
    facts = {"expected_answer": "1", "section": "core", "category": "c", "difficulty": "easy"}
    asked = {
        "first": {"prompt": "hello "},
        "second": {"prompt": STORY},
        "both": {"messages": talk("Hello", "Good morning", STORY)},
        "near": {"messages": talk("Hello", "Hi", STORY.replace("Max", "Bella"))},
        "follow-up": {"messages": talk("What is seven?", "A number.", "Why?")},  # its last turn alone says nothing
    }
    write_jsonl(tmp_path / "set.jsonl", [{"id": id_, **said, **facts} for id_, said in asked.items()])
    fact = contamination(load_evalset(tmp_path / "set.jsonl"), tmp_path / "train")
    assert fact.exact == ("first", "second", "both")
    assert [(found.id, found.line) for found in fact.near] == [("near", 1)]
