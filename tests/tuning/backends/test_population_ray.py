"""A population on Ray: the same decisions as inline, and a worker that dies in it."""

import sys

import pytest
from ray import cloudpickle

from podium.core.states import State
from tests.tuning.conftest import fates
from tests.tuning.population import PopulationWorker
from tests.tuning.search.test_population import PBT, SMALL, lineages

# Ray's processes cannot import test modules by name.
cloudpickle.register_pickle_by_value(sys.modules[__name__])
pytestmark = [pytest.mark.usefixtures("ray_here"), pytest.mark.slow]


def test_both_backends_decide_alike_and_a_dead_worker_changes_nothing(run_sweep):
    changes = {**SMALL, "scheduler": {**PBT, "perturb_every_steps": 30}, "workers": 2}
    inline = run_sweep(changes, worker=PopulationWorker)
    ray = run_sweep(changes, ask=("die-3",), worker=PopulationWorker, backend="ray")
    assert fates(ray) == fates(inline)
    assert lineages(ray) == lineages(inline)
    assert {state for state, _, _ in fates(ray).values()} == {State.COMPLETE}
    assert sum(worker["deaths"] for worker in ray.summary["workers"]) == 1


def test_a_population_stopped_on_ray_goes_on_inline(run_sweep):
    undisturbed = run_sweep({**SMALL, "workers": 2}, worker=PopulationWorker)
    options = {"worker": PopulationWorker, "backend": "ray"}
    stopped = run_sweep({**SMALL, "workers": 2}, ask=("stop-1",), **options)
    assert {trial.state for trial in stopped.trials} == {State.STOPPED}
    resumed = run_sweep({**SMALL, "workers": 2}, resume=stopped.name, worker=PopulationWorker)
    assert (fates(resumed), lineages(resumed)) == (fates(undisturbed), lineages(undisturbed))
