"""What every sampler has: a seed, and an object of Optuna's that it builds before each proposal.

What a sampler proposes follows from its seed, the proposal's number and what the study's storage holds. A resumed study
therefore goes on as if nothing had happened.
"""

import warnings
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import Field

from podium.core.config_sections import Section
from podium.core.errors import UsageError
from tuning.search.parameters import Parameter

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler


class SampledSpace(Protocol):
    """What a sampler needs of a search space."""

    @property
    def parameters(self) -> Mapping[str, Parameter]: ...
    @property
    def baseline(self) -> bool: ...
    @property
    def start_with(self) -> Sequence[Mapping[str, Any]]: ...
    def params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of `values` that a trial with them draws, as Optuna spells them."""
        ...


class BaseOptions(Section):
    """What all have in common."""

    SEVERAL: ClassVar[bool] = True  # whether it can have several objectives
    PACKAGE: ClassVar[tuple[str, str] | None] = None  # one that Podium does not bring, and the extra that does
    seed: int = Field(0, ge=0)

    def require(self) -> None:
        """Raises UsageError where the package that it needs is not installed."""
        if self.PACKAGE and find_spec(self.PACKAGE[0]) is None:
            package, extra = self.PACKAGE
            name = getattr(self, "name", "")
            raise UsageError(
                f"sampler {name!r} needs the package {package!r}, which is not installed; run in Podium's folder "
                f"`.venv/bin/pip install -e '.[{extra}]'`, or choose another sampler"
            )

    def size(self, space: SampledSpace) -> int | None:  # noqa: ARG002
        """How many configurations there are for it; None where there is no end. Raises UsageError."""
        return None


def seed_for(sampler: BaseOptions, trial: int) -> int:
    """Follows from (study seed, trial number) alone."""
    from numpy.random import SeedSequence

    return int(SeedSequence((sampler.seed, trial)).generate_state(1)[0])


def fixed(params: dict[str, Any], seed: int) -> "BaseSampler":
    """Proposes exactly `params`."""
    from optuna.samplers import PartialFixedSampler, RandomSampler

    return quietly(PartialFixedSampler, params, RandomSampler(seed=seed))


def quietly(make: Any, *arguments: Any, **options: Any) -> Any:
    """Without Optuna's warning that what we use is experimental; its version is pinned."""
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return make(*arguments, **options)
