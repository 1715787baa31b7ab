import sys

import numpy as np
import pytest

from podium.core.paths import study_dir
from podium.core.states import State
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.search.test_conditional_space import RATE
from tuning.study.create import create
from tuning.workers.memory import peak_memory_gb, reset_peak
from tuning.workers.worker_process import WorkerProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system says it on Linux only")


def test_the_peak_stays_until_it_is_reset():
    reset_peak()
    before = peak_memory_gb()
    held = np.ones(200_000_000, np.uint8)
    assert peak_memory_gb() - before > 0.15
    del held
    assert peak_memory_gb() - before > 0.15
    reset_peak()
    assert peak_memory_gb() - before < 0.1


def test_a_trial_reports_its_peak(space):
    process = WorkerProcess(AnalyticWorker, study_dir(create(space, None, {}).study_name))
    report = process.advance(process.attach(0, space.base_config, None), 10)
    assert report.state is State.RUNNING
    assert 0.01 < report.metrics["peak_memory_gb"] < 100


def test_a_constraint_on_memory_decides(run_sweep):
    tame = {"parameters": {"train.learning_rate": {**RATE, "high": 0.04}}, "scheduler": "none", "trials": 2}
    assert [trial.state for trial in run_sweep({**tame, "constraints": ["peak_memory_gb <= 100"]}).trials] == [
        State.COMPLETE,
        State.COMPLETE,
    ]
    refused = run_sweep({**tame, "constraints": ["peak_memory_gb <= 0.001"]})
    assert {trial.state for trial in refused.trials} == {State.INFEASIBLE}
    assert refused.trials[0].reason.startswith("constraint 'peak_memory_gb <= 0.001' is broken by")
