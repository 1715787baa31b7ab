"""A submission whose work takes simulated time: the real run, on a clock that only the work moves."""

from dataclasses import dataclass, field, replace

import numpy as np

from podium.core.clock import FakeClock
from podium.submission import evidence
from trainer.programs.decoding import DecodingProgram
from trainer.run.training_run import TrainingRun


@dataclass
class Work:
    """How long each kind of work takes, in seconds; `stalls` adds seconds to the n-th piece of a kind."""

    step_s: float = 1.0
    admit_s: float = 0.01
    token_s: float = 0.01
    score_s: float = 1.0
    stalls: dict[tuple[str, int], float] = field(default_factory=dict)


class Simulation:
    """`clock` moves as the work that is patched in takes its time."""

    def __init__(self, patch, work):
        self.clock, self._work, self._n = FakeClock(), work, dict.fromkeys(("step", "burst", "score"), 0)
        finish, bind, score = TrainingRun._finish, DecodingProgram.bind, evidence.score

        def slow_finish(*arguments):
            self._take("step", work.step_s)
            finish(*arguments)

        def slow_score(*arguments):
            self._take("score", work.score_s)
            return score(*arguments)

        patch.setattr(TrainingRun, "_finish", slow_finish)
        patch.setattr(evidence, "score", slow_score)
        patch.setattr(DecodingProgram, "bind", lambda *arguments: self._slow_functions(bind(*arguments)))

    def _slow_functions(self, functions):
        def admit(*arguments):
            self.clock.advance(self._work.admit_s)
            return functions.admit(*arguments)

        def decode(slots, *limits):
            before = np.array(slots.n)
            slots = functions.decode(slots, *limits)
            self._take("burst", self._work.token_s * int((np.asarray(slots.n) - before).max()))
            return slots

        return replace(functions, admit=admit, decode=decode)

    def _take(self, kind, seconds):
        self.clock.advance(seconds + self._work.stalls.pop((kind, self._n[kind]), 0.0))
        self._n[kind] += 1
