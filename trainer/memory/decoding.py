"""The device memory that decoding needs, and how many prompts fit in it at once."""

from dataclasses import dataclass

from trainer.device.memory import gb

UNKNOWN_BATCH = 32  # on a CPU, and where a device does not report its memory
SHARE = 0.85  # of the device's memory; the rest is for what the estimate leaves out
COPIES_OF_LOGITS = 4  # scores that are scaled, sorted and compared at once in sampling


@dataclass(frozen=True)
class DecodingMemory:
    """Bytes on each device while answers are generated."""

    weights: int
    copies: int  # of the weights, if decoding makes them
    cache: int  # keys and values of every row
    logits: int  # of every row, float32
    prompts: int  # one layer's work on the prompts that are admitted together

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {gb(size)}" for name, size in vars(self).items() if size)
        return f"{gb(sum(vars(self).values()))} ({parts}; estimated)"

    def rows_that_fit(self, rows: int, available: int, beside: int) -> float:
        """How many rows fit in `available` bytes, by the estimate for `rows` of them; `beside` bytes hold other arrays,
        such as the optimizer state of a trial that answers between two steps."""
        free = SHARE * available - self.weights - self.copies - beside
        return rows * free / (self.cache + COPIES_OF_LOGITS * self.logits + self.prompts)
