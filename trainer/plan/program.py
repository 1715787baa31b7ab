"""`Program`: what the compiler says of one function. Without JAX."""

from podium.core.config_sections import Section


class Program(Section):
    """One compiled function. All sizes are bytes on each device, as the compiler reports them."""

    function: str
    shape: tuple[int, ...]
    devices: tuple[int, int]  # (data, fsdp)
    arguments: int
    temporaries: int | None  # None if it was refused and the compiler did not say
    results: int  # that do not take the place of arguments
    beside: int  # arrays of the run that are on the device, too, but are no arguments
    compile_s: float
    estimated: int | None = None  # `total` of a training step, by trainer/memory/estimate.py
    refusal: str | None = None  # why the compiler refused it

    @property
    def total(self) -> int:
        return self.arguments + (self.temporaries or 0) + self.results + self.beside

    @property
    def label(self) -> str:
        return f"{self.function} {' x '.join(map(str, self.shape))}".strip()
