"""A trial whose sweep was killed while its parameters were drawn: some are recorded, the others are not."""

from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import Trial


class HalfDrawnTrial(Trial):
    """Draws the parameters that are not recorded as the killed sweep would have drawn them.

    A parameter that a sampler draws by itself takes the next random numbers. So a recorded one is drawn again, and the
    recorded value, which is the same, is kept.
    """

    def _suggest(self, name: str, distribution: BaseDistribution) -> Any:
        recorded = self._get_latest_trial()
        if name in recorded.distributions and self._is_drawn_alone(name, distribution):
            self.study.sampler.sample_independent(self.study, recorded, name, distribution)
        return super()._suggest(name, distribution)

    def _is_drawn_alone(self, name: str, distribution: BaseDistribution) -> bool:
        return not (
            self._is_fixed_param(name, distribution)
            or distribution.single()
            or self._is_relative_param(name, distribution)
        )
