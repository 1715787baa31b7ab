"""The device memory that decoding needs."""

from dataclasses import dataclass

from trainer.device.memory import gb


@dataclass(frozen=True)
class DecodingMemory:
    """Bytes on each device while answers are generated."""

    weights: int
    copies: int  # of the weights, if decoding makes them
    cache: int  # keys and values of every row
    logits: int  # of every row, float32

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {gb(size)}" for name, size in vars(self).items() if size)
        return f"{gb(sum(vars(self).values()))} ({parts}; estimated)"
