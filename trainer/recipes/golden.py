"""`golden-v2`: 100 exemplary traces, each with the question, a plan, the work, a check and the conclusion."""

from podium.core.records import ReasoningTrace
from trainer.recipes.composed import Part, compose

PARTS = (
    Part("quantities", ("golden_quantities",), 27),
    Part("shapes_and_rates", ("golden_shapes",), 27),
    Part("reasoning", ("golden_reasoning",), 27),
    Part("edge_cases", ("golden_edges",), 19),
)


def traces(seed: int) -> list[ReasoningTrace]:
    return compose("golden-v2", PARTS, seed)
