"""The texts of the files that a project begins with, from `templates/`."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from podium.schemas import schema_line
from podium.starter.priors import Prior, shown_size
from podium.starter.sizes import Sizes

TEMPLATES = Path(__file__).parent / "templates"
TRIALS, REPORTS = 12, 4  # reports of a trial; after the first, poor ones are stopped
LONG_ANSWER = 60  # characters; a longer answer is rarely repeated to the letter
RANK = 16
GITIGNORE = "workspace/\n"


@dataclass(frozen=True)
class Facts:
    """What the texts say. `profile`: the budget profile of `target`, if it is one."""

    name: str
    model: str
    trainset: str
    evalset: str
    n_examples: int
    n_dev: int
    n_holdout: int
    answer_length: int  # median, in characters
    sizes: Sizes
    prior: Prior
    profile: str | None
    target: str | None


def base_config(facts: Facts) -> str:
    sizes = facts.sizes
    return schema_line("run_config") + _filled(
        "base.yaml.txt",
        name=facts.name,
        model=json.dumps(facts.model),
        trainset=facts.trainset,
        evalset=facts.evalset,
        tokens=f"  # sizes follow from the data: {sizes.tokens}" if sizes.tokens else "",
        lora=f"lora: {{enabled: true, rank: {RANK}, alpha: {2 * RANK}}}\n" if sizes.lora else "",
        max_steps=sizes.max_steps,
        passes=sizes.passes,
        n_examples=facts.n_examples,
        batch_size=sizes.batch_size,
        memory=f"a step needs about {sizes.memory}" if sizes.memory else "a guess",
        learning_rate=_number(facts.prior.start),
        warmup_steps=sizes.max_steps // 10,
        budget=f"budget: {{profile: {facts.profile}}}" if facts.profile else "",
    )


def search_space(facts: Facts) -> str:
    metric, why = ("dev/answer_correctness", "the sweep reads the dev split only, never the holdout")
    if facts.answer_length > LONG_ANSWER:
        metric, why = ("dev/loss", "of the expected answers, which are too long to be repeated to the letter")
    rank = "  lora.rank: {type: categorical, choices: [8, 16, 32], ordered: true}\n  lora.alpha: '=2 * lora.rank'"
    return schema_line("search_space") + _filled(
        "space.yaml.txt",
        name=facts.name,
        metric=metric,
        why_metric=why,
        every=max(1, facts.sizes.max_steps // REPORTS),
        trials=TRIALS,
        why_range=facts.prior.why,
        low=_number(facts.prior.low),
        high=_number(facts.prior.high),
        rank=rank if facts.sizes.lora else "",
    )


def readme(facts: Facts) -> str:
    sizes = facts.sizes
    plan = f"podium plan search_spaces/base/{facts.name}.yaml --on {facts.target}"
    export = "podium kaggle export first --owner USER"
    elsewhere = f"`submit` runs the lock here. To run it there, use `{export}` instead.\n" if facts.profile else ""
    return _filled(
        "README.md.txt",
        name=facts.name,
        model=facts.model,
        trainset=facts.trainset,
        evalset=facts.evalset,
        n_examples=facts.n_examples,
        n_items=facts.n_dev + facts.n_holdout,
        n_dev=facts.n_dev,
        n_holdout=facts.n_holdout,
        size="" if sizes.n_parameters is None else f", {shown_size(sizes.n_parameters)} parameters",
        note=f"\nNote: {sizes.note}.\n" if sizes.note else "",
        plan=f"\nTo see whether it fits on {facts.target}: `{plan}`.\n{elsewhere}" if facts.target else "",
    )


def _filled(template: str, **values: object) -> str:
    """The template with its values; values that are empty leave no blank lines at the end."""
    text = Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)
    return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def _number(value: float) -> str:
    """A number that YAML reads as one; 5e-05 would be a text."""
    return f"{value:.10f}".rstrip("0")
