"""What the reasoning recipes are written with: exact numbers, stories, tasks, and how a set is composed of them."""

from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from trainer.recipes import composed
from trainer.recipes.composed import Part, compose
from trainer.recipes.reasoning_problems import story as story_module
from trainer.recipes.reasoning_problems.numbers import Number, added, evaluate, fixed, ordinal
from trainer.recipes.reasoning_problems.problem import Draw
from trainer.recipes.reasoning_problems.story import Story, stories
from trainer.recipes.reasoning_problems.task import Topic

BAKERY = """
story: bakery, easy
draw: a=4..6; c=10|12; thing,place=rolls,oven|pies,shop; all:=a * c
where: a != 5
ask: {who} bakes {a} trays of {c} {thing} in the {place}. How many?
ask: {a} trays of {c} {thing}: how many?
plan: Multiply.
work: All: {x = a * c}
work: There are {x + 0}.
check: {= x / c}
so: {x} {thing}.
answer: {x}
"""


@pytest.fixture
def parse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`parse(text)`: the stories of a file that holds `text`."""
    monkeypatch.setattr(story_module, "FOLDER", tmp_path)

    def read(text: str) -> tuple[Story, ...]:
        stories.cache_clear()
        (tmp_path / "topic.txt").write_text(text)
        return stories("topic")

    yield read
    stories.cache_clear()


@pytest.mark.parametrize(
    ("value", "spec", "shown"),
    [
        ("12", "", "12"),
        ("5/2", "", "2.5"),
        ("-3/8", "", "-0.375"),
        ("7/3", "", "7/3"),
        ("3/8", "/", "3/8"),
        ("4", "$", "$4"),
        ("9/2", "$", "$4.50"),
        ("1/8", ".2", "0.13"),
        ("-1/8", ".2", "-0.13"),
        ("-1/1000", ".2", "0.00"),
        ("2", ".2", "2.00"),
        ("1234567/10", ",", "123,456.7"),
        ("22", "th", "22nd"),
        ("3", "word", "three"),
        ("845", "clock", "14:05"),
    ],
)
def test_number_formats(value: str, spec: str, shown: str) -> None:
    assert format(Number(value), spec) == shown


def test_half_is_rounded_up_and_ordinals() -> None:
    assert [fixed(Fraction(n, 10), 0) for n in (4, 5, 15, 25, -5)] == ["0", "1", "2", "3", "-1"]
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 111)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "111th",
    ]
    assert added([3, 4, 5]) == "3 + 4 + 5 = 12"


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a + b * 2", 11),
        ("(a + b) * 2", 16),
        ("a / b", Fraction(5, 3)),
        ("a // b", 1),
        ("-a % b", 1),
        ("a ^ b", 125),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("max(a, b, 4) + gcd(12, 18) + comb(a, 2)", 21),
        ("1 < b < a and a != b", True),
        ("b > a", False),
    ],
)
def test_expressions_are_exact(expression: str, value: object) -> None:
    assert evaluate(expression, {"a": Number(5), "b": Number(3)}) == value


@pytest.mark.parametrize("expression", ["a.b", "[1, 2]", "(lambda: 1)()", "__import__('os')"])
def test_expression_that_is_not_arithmetic(expression: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        evaluate(expression, {"a": Number(5)})


def test_draw_depends_on_its_key_alone() -> None:
    assert [Draw("k").number(1, 100) for _ in range(3)] == [Draw("k").number(1, 100)] * 3
    draw = Draw("k")
    assert sorted(draw.shuffled("abcd")) == list("abcd")
    assert len(set(draw.sample(range(10), 10))) == 10
    assert {draw.number(2, 6, 2) for _ in range(50)} == {2, 4, 6}
    people = draw.people()
    assert len({people["who"], people["friend"], people["third"]}) == 3


def test_a_story(parse: Any) -> None:
    (bakery,) = parse(BAKERY)
    assert (bakery.name, bakery.level, bakery.forms) == ("bakery", "easy", 2)
    problem = bakery.problem(Draw("k"), 1)
    a, c = (4, 6), (10, 12)
    trays, per, thing = problem.prompt.split()[0], problem.prompt.split()[3], problem.prompt.split()[4]
    assert int(trays) in a
    assert int(per) in c
    assert thing in ("rolls:", "pies:")
    total = str(int(trays) * int(per))
    assert problem.answer == total
    assert problem.steps == (
        ("plan", "Multiply."),
        ("compute", f"All: {trays} * {per} = {total}"),
        ("reason", f"There are {total}."),
        ("check", f"{total} / {per} = {trays}"),
        ("conclude", f"{total} {thing[:-1]}."),
    )
    drawn = {bakery.problem(Draw(str(key)), 1).prompt.split()[0] for key in range(40)}
    assert drawn == {"4", "6"}  # never 5: `where`


def test_words_that_vary_together(parse: Any) -> None:
    (bakery,) = parse(BAKERY)
    prompts = " ".join(bakery.problem(Draw(str(key)), 0).prompt for key in range(40))
    assert "rolls in the oven" in prompts
    assert "pies in the shop" in prompts
    assert "rolls in the shop" not in prompts


@pytest.mark.parametrize(
    ("work", "written"),
    [
        ("{x = a / b}", "7 / 2 = 3.5"),
        ("{x ~1 a / c}", "7 / 3 ≈ 2.3"),
        ("{x ~1 a / b}", "7 / 2 = 3.5"),
        ("{= b - n}", "2 - (-4) = 6"),
        ("{= n + a}", "-4 + 7 = 3"),
        ("{= b * t}", "2 * (7/3) = 14/3"),
    ],
)
def test_how_calculations_are_written(parse: Any, work: str, written: str) -> None:
    text = f"story: s, hard\ndraw: a=7; b=2; c=3; n=-4; t:=a / c\nask: ?\nplan: p\nwork: {work}\nso: s\nanswer: {{a}}"
    (story,) = parse(text)
    assert story.problem(Draw("k"), 0).steps[1] == ("compute", written)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("plan: Multiply.\n", ""), r"story 'bakery': level 'easy', missing \['plan'\], unknown \[\]"),
        (("plan:", "plans:"), r"missing \['plan'\], unknown \['plans'\]"),
        ((", easy", ", simple"), "story 'bakery': level 'simple'"),
    ],
)
def test_malformed_story(parse: Any, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(BAKERY.replace(*change))


def test_story_that_cannot_be_drawn(parse: Any) -> None:
    (bakery,) = parse(BAKERY.replace("a != 5", "a > 6"))
    with pytest.raises(RuntimeError, match=r"story 'bakery': no draw meets \('a > 6',\) in 2000 tries"):
        bakery.problem(Draw("k"), 0)


def test_calculation_with_a_function_is_refused(parse: Any) -> None:
    (bakery,) = parse(BAKERY.replace("{= x / c}", "{= max(x, c)}"))
    with pytest.raises(ValueError, match=r"must not use 'max'"):
        bakery.problem(Draw("k"), 0)


def test_a_task() -> None:
    topic = Topic()

    @topic.task("easy", "{who}: what is {a} + 1?", "Add 1 to {a}.")
    def next_number(draw: Draw) -> Any:
        a = draw.number(3, 3)
        return {"a": a}, [("plan", "Add."), "3 + 1 = 4"], 4

    (task,) = topic
    problem = task.problem(Draw("k"), 1)
    assert (task.name, task.forms) == ("next-number", 2)
    assert problem.prompt == "Add 1 to 3."
    assert problem.steps == (("plan", "Add."), ("compute", "3 + 1 = 4"), ("conclude", "The answer is 4."))
    assert problem.answer == "4"


def test_a_set_uses_every_template_before_one_comes_again(parse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = parse(BAKERY + BAKERY.replace("bakery", "other").replace("trays", "boxes"))
    monkeypatch.setattr(composed, "templates", lambda _: pool)
    rows = compose("set", [Part("part", ("topic",), 4)], 1)
    assert Counter(row.meta["template"] for row in rows) == {"bakery": 2, "other": 2}
    assert Counter("in the" in row.prompt for row in rows) == {True: 2, False: 2}  # each wording once
    assert not {row.prompt for row in rows} & {
        row.prompt for row in compose("set", [Part("part", ("topic",), 4)], 1, {row.prompt for row in rows})
    }


def test_a_set_that_asks_for_too_much(parse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = parse(
        BAKERY.replace("draw: a=4..6; c=10|12; thing,place=rolls,oven|pies,shop", "draw: a=4; c=10; thing=pies")
    )
    monkeypatch.setattr(
        composed, "templates", lambda _: [Story(s.name, s.level, s.lines | {"ask": s.lines["ask"][1:]}) for s in pool]
    )
    with pytest.raises(RuntimeError, match="part 'part' of 'set' has no 3 different prompts; ask for fewer"):
        compose("set", [Part("part", ("topic",), 3)], 1)
