"""Sampler `python`: any Optuna sampler that a function of the user's makes."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from podium.core.errors import PodiumError
from podium.core.named_code import import_named
from podium.core.redaction import named_line, shown
from tuning.search.samplers.base import BaseOptions, SampledSpace, SamplerError, quietly

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class PythonSampler(BaseOptions):
    """The sampler that `make(seed, **options)` returns, with `make` at `python`; the options are passed on as they are.

    It is made anew before each proposal with the seed of that trial. So it must keep nothing between proposals except
    in the study, as Optuna's own samplers do.
    """

    name: Literal["python"] = "python"
    python: str = Field(description="pkg.module:make, a function that takes seed and the options")
    options: dict[str, Any] = Field({}, description="the further arguments of the function")

    def require(self) -> None:
        """Raises UsageError unless the function can be imported and makes a sampler."""
        self._make(0)

    def build(self, seed: int, index: int, space: SampledSpace) -> "BaseSampler":  # noqa: ARG002
        return self._make(seed)

    def code(self) -> Callable[..., Any]:
        """The function. Raises UsageError if it cannot be imported."""
        return import_named(self.python, "sampler.python")

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        try:
            yield
        except (PodiumError, OSError):  # not the sampler's
            raise
        except Exception as error:
            raise SamplerError(f"sampler.python={self.python!r} raised {named_line(error)}") from error

    def _make(self, seed: int) -> "BaseSampler":
        from optuna.samplers import BaseSampler

        make = self.code()
        try:
            made = quietly(make, seed=seed, **self.options)
        except Exception as error:
            raise SamplerError(
                f"sampler.python={self.python!r} raised {named_line(error)}; check its options"
            ) from error
        if not isinstance(made, BaseSampler):
            raise SamplerError(f"sampler.python={self.python!r} returned {shown(made)}, must return an Optuna sampler")
        return made
