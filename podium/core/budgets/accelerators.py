"""Accelerators: the memory, native dtype and speed of one device, from the vendors' data sheets (accelerators.yaml)."""

import datetime
from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from podium.core.budgets.data_file import shipped_entries
from podium.core.config_sections import Section
from podium.core.errors import UsageError

GIB = 2**30
FILE = "accelerators.yaml"


class Accelerator(Section):
    """One device. `device_kinds`: JAX's `device_kind`, or a word of it; `topology`: how libtpu names its machines."""

    name: str
    kind: Literal["cpu", "gpu", "tpu"]
    device_kinds: tuple[str, ...] = Field(min_length=1)
    topology: str | None = None
    memory_gib: float | None = Field(None, gt=0)
    usable_gib: float | None = Field(None, gt=0)
    dtype: Literal["float32", "bfloat16", "float16"]
    peak_tflops: float | None = Field(None, gt=0)
    bandwidth_gbs: float | None = Field(None, gt=0)
    source: str
    date: datetime.date

    @property
    def memory_bytes(self) -> int | None:
        """The memory that a program may use, in bytes; None if it is not known."""
        gib = self.usable_gib or self.memory_gib
        return None if gib is None else int(gib * GIB)

    @property
    def peak_flops(self) -> float | None:
        """Dense FLOP/s of products in `dtype`."""
        return None if self.peak_tflops is None else self.peak_tflops * 1e12

    @property
    def bandwidth(self) -> float | None:
        """Bytes/s of the device's memory."""
        return None if self.bandwidth_gbs is None else self.bandwidth_gbs * 1e9


def accelerators() -> Mapping[str, Accelerator]:
    """Every accelerator by its name."""
    return shipped_entries(FILE, Accelerator)


def accelerator(name: str) -> Accelerator:
    """The accelerator `name`. Raises UsageError, which lists the known ones."""
    if name not in accelerators():
        raise UsageError(f"accelerator {name!r}, must be one of {', '.join(accelerators())}")
    return accelerators()[name]


def of_device_kind(device_kind: str) -> Accelerator | None:
    """The accelerator by JAX's `device_kind`, such as `TPU v5 lite` or `NVIDIA H100 80GB HBM3`; None if unknown."""
    words = device_kind.replace("-", " ").split()
    known = [(kind, entry) for entry in accelerators().values() for kind in entry.device_kinds]
    same = (entry for kind, entry in known if kind == device_kind)
    return next(same, None) or next((entry for kind, entry in known if kind in words), None)
