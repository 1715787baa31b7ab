"""golden-v2, dev-reasoning-v1 and dev-reasoning-v2: what is in them, and that every line of it is right."""

import ast
import operator
import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from importlib import import_module
from itertools import chain
from pathlib import Path

import pytest

from podium.core.paths import shipped
from podium.core.records import ReasoningTrace, TrainsetManifest, read_record
from tests.near_duplicates import near_pairs, repeats
from tests.trainer.reasoning_answers.tools import Prompt, Solver
from trainer.data.trainsets import build_trainset, iter_examples
from trainer.recipes import SEED, TRAINSETS
from trainer.recipes.reasoning_problems import SYNTHETIC, TOPICS, templates
from trainer.recipes.reasoning_problems.problem import Draw, Problem, Template

COMPOSITIONS = {
    "golden-v2": {"quantities": 27, "shapes_and_rates": 27, "reasoning": 27, "edge_cases": 19},
    "dev-reasoning-v1": {"worked_reasoning": 140, "synthetic": 40, "golden_style": 10, "edge_case": 10},
    "dev-reasoning-v2": {"worked_reasoning": 385, "synthetic": 110, "golden_style": 28, "edge_case": 27},
}
NEAR_DUPLICATES = 0.03
DRAWS = 8  # of every wording of every template, beside what the sets hold

MODULES = ("everyday", "mathematics", "exemplary", "deduction", "text")
ANSWERS: dict[str, Solver] = {
    name: solver
    for module in MODULES
    for name, solver in import_module(f"tests.trainer.reasoning_answers.{module}").ANSWERS.items()
}
TEMPLATES = [template for topic in TOPICS for template in templates(topic)]

NUMBER = r"-?\d+(?:\.\d+)?(?:/\d+)?"
CALCULATION = re.compile(rf"(?<![\w.])(\(*-?[\d(][\d.+\-*/^() ]*?) ([=≈]) ({NUMBER})(?![\w*])")
OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: lambda base, exponent: base ** int(exponent),
}
EQUATION = re.compile(r"(?<!\w)([\d+\-*^() ]*[xy](?![a-z])[\d+\-*^() ]*) = ([\dxy+\-*^() ]+)")


@cache
def traces(name: str) -> list[ReasoningTrace]:
    return TRAINSETS[name].traces(SEED)


def every_problem() -> Iterator[tuple[Template, Problem]]:
    for template in TEMPLATES:
        for form in range(template.forms):
            for draw in range(DRAWS):
                yield template, template.problem(Draw(f"test/{draw}"), form)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_builds_to_the_committed_manifest(name: str, tmp_path: Path) -> None:
    manifest = build_trainset(name, tmp_path / "set")
    assert manifest == read_record(TrainsetManifest, shipped() / "trainsets" / name / "manifest.json")
    assert manifest.composition == COMPOSITIONS[name]
    assert manifest.count == sum(COMPOSITIONS[name].values())
    assert list(iter_examples(tmp_path / "set")) == traces(name)


def test_shares_of_dev_reasoning_v2() -> None:
    parts = COMPOSITIONS["dev-reasoning-v2"]
    assert parts["worked_reasoning"] == 0.7 * 550
    assert parts["synthetic"] == 0.2 * 550
    assert parts["golden_style"] + parts["edge_case"] == 0.1 * 550


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_same_seed_same_traces(name: str) -> None:
    assert TRAINSETS[name].traces(SEED) == traces(name)
    assert TRAINSETS[name].traces(SEED + 1) != traces(name)


def test_no_prompt_twice_in_any_of_the_sets() -> None:
    prompts = [" ".join(t.prompt.casefold().split()) for name in COMPOSITIONS for t in traces(name)]
    assert len(prompts) == 850
    assert [prompt for prompt, n in Counter(prompts).items() if n > 1] == []


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_few_near_duplicates(name: str) -> None:
    prompts = [trace.prompt for trace in traces(name)]
    assert len(repeats(prompts)) <= NEAR_DUPLICATES * len(prompts)


def test_near_duplicates_are_found() -> None:
    same = ["Maya buys 3 apples at $2 each and pays.", "Theo buys 14 apples at $3.50 each and pays."]
    other = "Maya sells 3 apples at $2 each and goes home to her garden."
    assert repeats([*same, other]) == [same[1]]
    assert list(near_pairs(["Add 3 and 4."], ["Add 12 and 7!", "Add 3 to 4 and 5."])) == [(0, 0)]
    assert repeats(["one two three four five six seven eight", "one two three four five six seven nine"]) == []


def test_all_templates_have_a_second_solver() -> None:
    names = [template.name for template in TEMPLATES]
    assert [name for name, n in Counter(names).items() if n > 1] == []
    assert set(names) == set(ANSWERS)
    assert len(names) >= 400
    assert min(template.forms for template in TEMPLATES) >= 2


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_answers(name: str) -> None:
    wrong = [t.prompt for t in traces(name) if not _right(t.meta["template"], t.prompt, t.final_answer)]
    assert wrong == []


def test_answers_of_every_wording() -> None:
    wrong = [p.prompt for template, p in every_problem() if not _right(template.name, p.prompt, p.answer)]
    assert wrong == []


def _right(template: str, prompt: str, answer: str) -> bool:
    computed = ANSWERS[template](Prompt(prompt))
    return computed == answer if isinstance(computed, str) else Fraction(computed) == Fraction(answer)


@pytest.mark.parametrize("name", COMPOSITIONS)
def test_calculations_in_steps(name: str) -> None:
    checked = sum(_check_steps([s.content for s in t.steps], t.final_answer) for t in traces(name))
    assert checked > 1.5 * len(traces(name))  # the pattern still finds them


def test_calculations_of_every_wording() -> None:
    assert sum(_check_steps([text for _, text in p.steps], p.answer) for _, p in every_problem()) > 10_000


def _check_steps(steps: list[str], answer: str) -> int:
    """How many calculations were found and are right; a failed assertion where one is not, or cannot be read."""
    checked = 0
    for step in steps:
        rest = step
        for left, right in EQUATION.findall(step):  # 3x + 7 = 37, true of the answer
            assert _value(left, answer) == _value(right, answer), step
            rest = rest.replace(f"{left} = {right}", "", 1)
            checked += 1
        for left, sign, right in CALCULATION.findall(rest):
            half_a_place = Fraction(1, 2 * 10 ** len(right.partition(".")[2]))
            assert abs(_value(left) - Fraction(right)) <= (half_a_place if sign == "≈" else 0), step
            rest = rest.replace(f"{left} {sign} {right}", "", 1)
            checked += 1
        assert not re.search("[=≈]", rest), f"{step!r}: cannot read {rest!r}"
    return checked


def _value(expression: str, unknown: str = "") -> Fraction:
    """Exact; a letter stands for `unknown`, 3x is 3 * x, and ^ is a power."""
    text = re.sub(r"(?<=\d)(?=[xy(])", "*", expression.strip().replace("^", "**"))
    return _walk(ast.parse(re.sub(r"[xy]", f"({unknown})", text), mode="eval").body)


def _walk(node: ast.AST) -> Fraction:
    match node:
        case ast.Constant(int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(ast.USub(), operand):
            return -_walk(operand)
        case ast.BinOp(left, op, right):
            return OPERATORS[type(op)](_walk(left), _walk(right))
    raise AssertionError(f"{ast.unparse(node)} is more than arithmetic")


def test_steps_lead_to_the_answer() -> None:
    for trace in chain(*map(traces, COMPOSITIONS)):
        assert [step.i for step in trace.steps] == list(range(1, len(trace.steps) + 1))
        kinds = [step.type for step in trace.steps]
        assert set(kinds) <= {"understand", "plan", "compute", "reason", "check", "conclude"}
        assert kinds.count("conclude") == 1
        assert kinds[-1] == "conclude"
        assert len(kinds) >= 2
        if re.fullmatch(NUMBER, trace.final_answer):
            assert re.search(rf"(?<!\d){re.escape(trace.final_answer)}(?!\d)", trace.steps[-1].content)


def test_golden_traces_are_complete() -> None:
    for trace in traces("golden-v2"):
        kinds = [step.type for step in trace.steps]
        assert kinds == sorted(kinds, key=["understand", "plan", "compute", "reason", "check", "conclude"].index) or (
            kinds[0] == "understand" and kinds[-1] == "conclude"
        )
        assert {"understand", "plan", "check", "conclude"} < set(kinds)


SLIPS = (
    r"[{}]|  | [,;?]| \.(?!\.\.)",  # what a template left behind
    r"(?<![\d.,/:^*+-])(?<![*+/-] )\b1 (?!is|has|was|copper|follows)[a-z]+s\b",  # 1 hours
)
ARTICLES = r"\b[Aa] (?:8\d?|11|18|[aeio]\w+)\b|\b[Aa]n [bcdfgjkpqt]"  # a apple; but not where words are only letters


def test_texts_read_well() -> None:
    loose = {template.name for topic in SYNTHETIC for template in templates(topic)}
    for template, problem in every_problem():
        slips = SLIPS if template.name in loose else (*SLIPS, ARTICLES)
        for text in (problem.prompt, *(content for _, content in problem.steps)):
            assert not any(re.search(slip, text) for slip in slips), text
        assert problem.prompt[-1] in ".?!)", problem.prompt
