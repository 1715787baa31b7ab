"""eval_v1 and eval_v2: composition, every answer, and that no trainset gives one away."""

from collections import Counter
from fractions import Fraction

import pytest

from eval.answers.normalise import normalise
from eval.sets.evalset import duplicate_prompts, load_evalset, same_prompt_key
from podium.core.paths import shipped
from podium.core.records import Sample
from tests.eval.eval_set_answers import EVAL_V1, EVAL_V2
from tests.near_duplicates import near_pairs, repeats
from trainer.recipes import SEED, TRAINSETS
from trainer.recipes.reasoning_problems import TOPICS, templates
from trainer.recipes.reasoning_problems.problem import Draw

ANSWERS = {"eval_v1": EVAL_V1, "eval_v2": EVAL_V2}
SECTIONS = {
    "eval_v1": {"core": 30, "trace_sensitive": 12, "edge_case": 8},
    "eval_v2": {"core": 60, "trace_sensitive": 25, "edge_case": 15},
}
DIFFICULTIES = {
    "eval_v1": {"easy": 17, "medium": 20, "hard": 13},
    "eval_v2": {"easy": 34, "medium": 41, "hard": 25},
}
CATEGORIES = {
    "arithmetic", "geometry", "unit_conversion", "general_knowledge", "word_problems", "algebra", "sequences",
    "formatting", "numeric_precision", "edge_cases",
}  # fmt: skip
IDS = {"core": "core", "trace_sensitive": "trace", "edge_case": "edge"}
both = pytest.mark.parametrize("name", ANSWERS)


def samples(name: str) -> tuple[Sample, ...]:
    return load_evalset(shipped() / "evalsets" / f"{name}.jsonl").samples


@both
def test_composition(name: str) -> None:
    items = samples(name)
    assert Counter(item.section for item in items) == SECTIONS[name]
    assert Counter(item.difficulty for item in items) == DIFFICULTIES[name]
    assert {item.category for item in items} == CATEGORIES
    assert {item.category for item in items if item.section == "edge_case"} == {"edge_cases"}


@both
def test_ids_are_numbered_by_section(name: str) -> None:
    version = name.removeprefix("eval_")
    expected = [f"{version}-{IDS[s]}-{i:03}" for s, n in SECTIONS[name].items() for i in range(1, n + 1)]
    assert [item.id for item in samples(name)] == expected


@both
def test_every_answer_a_second_time(name: str) -> None:
    assert list(ANSWERS[name]) == [item.id for item in samples(name)]
    wrong = [item.id for item in samples(name) if not _same(ANSWERS[name][item.id], item.expected_answer)]
    assert wrong == []


def _same(computed: object, answer: str) -> bool:
    return computed == answer if isinstance(computed, str) else Fraction(computed) == Fraction(answer)  # type: ignore[arg-type]


@both
def test_answers_are_short_and_accepted_ones_differ(name: str) -> None:
    for item in samples(name):
        assert len(item.expected_answer) <= 30
        assert item.expected_answer.casefold() not in (other.casefold() for other in item.accepted)


@both
def test_answer_stands_in_no_prompt_as_a_phrase(name: str) -> None:
    """A question that holds its own answer scores whoever repeats it; where it offers a choice, it must."""
    offered = {"v1-edge-004", "v1-edge-006", "v2-core-058", "v2-edge-007", "v2-edge-008", "v2-edge-010", "v2-edge-012"}
    for item in samples(name):
        words = normalise(item.expected_answer)
        if not words[-1].isdigit() and item.id not in offered and words != "red green blue":
            assert f" {words} " not in f" {normalise(item.prompt)} ", item.id


@both
def test_no_prompt_twice(name: str) -> None:
    prompts = [item.prompt for item in samples(name)]
    assert duplicate_prompts(load_evalset(shipped() / "evalsets" / f"{name}.jsonl")) == []
    assert repeats(prompts) == []


def test_the_sets_share_no_prompt() -> None:
    one, two = ([item.prompt for item in samples(name)] for name in ANSWERS)
    assert not set(map(same_prompt_key, one)) & set(map(same_prompt_key, two))
    assert list(near_pairs(one, two)) == []


@both
@pytest.mark.parametrize("trainset", TRAINSETS)
def test_disjoint_from_every_trainset(name: str, trainset: str) -> None:
    asked = [item.prompt for item in samples(name)]
    trained_on = [trace.prompt for trace in TRAINSETS[trainset].traces(SEED)]
    assert not set(map(same_prompt_key, asked)) & set(map(same_prompt_key, trained_on))
    assert list(near_pairs(asked, trained_on)) == []


@both
def test_disjoint_from_every_wording_whatever_the_seed(name: str) -> None:
    wordings = [
        template.problem(Draw("any"), form).prompt
        for topic in TOPICS
        for template in templates(topic)
        for form in range(template.forms)
    ]
    assert list(near_pairs([item.prompt for item in samples(name)], wordings)) == []
