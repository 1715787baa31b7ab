"""How a holdout is rationed: every look at it spends a part of the probability of a false promotion."""

from math import pi

ALPHA = 0.05  # of a false promotion, over all looks that a holdout will ever get


def alpha_at(look: int, alpha: float = ALPHA) -> float:
    """The share of `alpha` that look number `look` (from 1) may spend: 6 / (pi look)^2.

    The shares of any number of looks add up to less than one (alpha spending, Foster & Stine 2008), so that looking
    often does not make a false promotion more probable. The first gets 61%.
    """
    return alpha * 6 / (pi * look) ** 2
