"""`dev-reasoning-v1` and `-v2`: worked problems in plain English, for fine-tuning real models.

70% worked reasoning problems, 20% synthetic string and number tasks, 10% golden-style and edge cases. The three
reasoning trainsets share no prompt, so they can be used together.
"""

from podium.core.records import ReasoningTrace
from trainer.recipes import golden
from trainer.recipes.composed import Part, compose
from trainer.recipes.reasoning_problems import EDGES, GOLDEN, SYNTHETIC, WORKED


def _parts(worked: int, synthetic: int, golden_style: int, edge: int) -> tuple[Part, ...]:
    return (
        Part("worked_reasoning", WORKED, worked),
        Part("synthetic", SYNTHETIC, synthetic),
        Part("golden_style", GOLDEN, golden_style),
        Part("edge_case", EDGES, edge),
    )


def traces_v1(seed: int) -> list[ReasoningTrace]:
    """200 traces."""
    return compose("dev-reasoning-v1", _parts(140, 40, 10, 10), seed, {t.prompt for t in golden.traces(seed)})


def traces_v2(seed: int) -> list[ReasoningTrace]:
    """550 traces."""
    earlier = {trace.prompt for trace in (*golden.traces(seed), *traces_v1(seed))}
    return compose("dev-reasoning-v2", _parts(385, 110, 28, 27), seed, earlier)
