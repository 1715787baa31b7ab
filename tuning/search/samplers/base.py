"""The base of every sampler: it has a seed, and builds an Optuna sampler before each proposal.

A proposal follows from the seed, the trial's number and the contents of the study's storage. A resumed study therefore
proposes what an uninterrupted one would have.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from pydantic import Field

from podium.core.config_sections import Section
from podium.core.errors import UsageError
from tuning.search.parameters import Parameter

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

Made = TypeVar("Made")


class SamplerError(UsageError):
    """A sampler of the user's raised, or is none."""


class SampledSpace(Protocol):
    """The part of a search space that a sampler reads."""

    @property
    def parameters(self) -> Mapping[str, Parameter]: ...
    @property
    def baseline(self) -> bool: ...
    @property
    def start_with(self) -> Sequence[Mapping[str, Any]]: ...
    def params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values that a trial with `values` draws, in Optuna's representation."""
        ...


class BaseOptions(Section):
    """The options and methods of every sampler."""

    MULTI_OBJECTIVE: ClassVar[bool] = True  # whether it supports several objectives
    REQUIRED_PACKAGE: ClassVar[tuple[str, str] | None] = None  # (package, the extra that installs it)
    seed: int = Field(0, ge=0)

    def require(self) -> None:
        """Raises UsageError if the package that the sampler needs is not installed."""
        if self.REQUIRED_PACKAGE and find_spec(self.REQUIRED_PACKAGE[0]) is None:
            package, extra = self.REQUIRED_PACKAGE
            name = getattr(self, "name", "")
            raise UsageError(
                f"sampler {name!r} needs the package {package!r}; "
                f"install it with .venv/bin/pip install -e '.[{extra}]', or choose another sampler"
            )

    @contextlib.contextmanager
    def reported(self) -> Iterator[None]:
        """A context for calls of the sampler: what code of the user's raises becomes a SamplerError."""
        yield

    def size(self, space: SampledSpace) -> int | None:  # noqa: ARG002
        """How many configurations it can propose; None if there is no limit. Raises UsageError."""
        return None


def seed_for(sampler: BaseOptions, trial: int) -> int:
    """The seed for one trial, a function of (study seed, trial number) alone."""
    from numpy.random import SeedSequence

    return int(SeedSequence((sampler.seed, trial)).generate_state(1)[0])


def fixed(params: dict[str, Any], seed: int) -> "BaseSampler":
    """An Optuna sampler that proposes exactly `params`."""
    from optuna.samplers import PartialFixedSampler, RandomSampler

    return quietly(PartialFixedSampler, params, RandomSampler(seed=seed))


def quietly(make: Callable[..., Made], *arguments: Any, **options: Any) -> Made:
    """`make(*arguments, **options)` without Optuna's warning that the class is experimental; its version is pinned."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return make(*arguments, **options)
