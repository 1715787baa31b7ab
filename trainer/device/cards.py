"""The speed of accelerators, from the vendors' data sheets."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """One device. `flops`: dense FLOP/s of products in bfloat16 (a T4: float16); `bandwidth`: bytes/s of its memory."""

    flops: float
    bandwidth: float


# By JAX's `device_kind` (`TPU v5 lite`), or by a word of it (`NVIDIA H100 80GB HBM3`).
CARDS = {
    "TPU v5 lite": Card(197e12, 819e9),
    "TPU v5": Card(459e12, 2765e9),
    "TPU v6 lite": Card(918e12, 1640e9),
    "T4": Card(65e12, 320e9),
    "L4": Card(121e12, 300e9),
    "L40S": Card(362e12, 864e9),
    "A10": Card(125e12, 600e9),
    "A100": Card(312e12, 1555e9),
    "H100": Card(989e12, 3350e9),
    "H200": Card(989e12, 4800e9),
    "B200": Card(2250e12, 8000e9),
}
CPU_RIDGE = 128  # more tokens made no product with a head faster; fewer made it slower


def card(device_kind: str) -> Card | None:
    """The card by JAX's `device_kind`; None if CARDS does not have it."""
    if device_kind in CARDS:
        return CARDS[device_kind]
    words = device_kind.replace("-", " ").split()
    return next((found for name, found in CARDS.items() if name in words), None)


def ridge(device_kind: str) -> int:
    """The fewest tokens, a multiple of 128, whose product with a matrix in bfloat16 the card computes without waiting
    for memory (the ridge point of Williams et al. 2009, doi:10.1145/1498765.1498785)."""
    found = card(device_kind)
    return CPU_RIDGE if found is None else -(-int(found.flops / found.bandwidth) // 128) * 128
