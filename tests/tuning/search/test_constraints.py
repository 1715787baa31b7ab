"""Constraints end to end: what Optuna has of them, what the sampler makes of them, what is never chosen."""

import sys

import pytest
from ray import cloudpickle

from podium.cli.main import main
from podium.core.errors import UsageError
from podium.core.paths import study_dir
from podium.core.states import State
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.study.test_transfer import fed
from tuning.promotion import promote_unconfirmed
from tuning.study.storage import open_storage

MEMORY, TIME = "peak_memory_gb <= 16", "projected_submit_s <= 32400"
DECAY = {"train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1}}
SPACE = {"parameters": DECAY, "scheduler": "none", "report_every_steps": 90, "trials": 24}


class Tempting(AnalyticWorker):
    """The score rises with the weight decay, and so does what it costs."""

    def advance(self, slot, until_step):
        report, decay = super().advance(slot, until_step), self.configs[slot].train.weight_decay
        metrics = {"dev/answer_correctness": 1000 * decay, "peak_memory_gb": 10 + 100 * decay}
        return report.model_copy(update={"metrics": metrics, "elapsed_s": 100.0})


cloudpickle.register_pickle_by_value(sys.modules[__name__])


def too_much(study) -> list[bool]:
    """Of each trial, in the order they were proposed."""
    return [trial.config.train.weight_decay > 0.06 for trial in study.trials]


def test_optuna_has_them_the_sampler_heeds_them_and_nobody_chooses_what_breaks_one(run_sweep, capsys):
    free = run_sweep(SPACE, name="free", worker=Tempting)
    bound = run_sweep({**SPACE, "constraints": [TIME, MEMORY]}, name="bound", worker=Tempting)
    for trial in open_storage(study_dir("bound")).trials:
        memory = 10 + 100 * trial.params["train.weight_decay"]
        assert trial.system_attrs[f"constraints:{MEMORY}"] == pytest.approx(memory - 16)
        assert trial.system_attrs[f"constraints:{TIME}"] == pytest.approx(100 - 32400)
        assert trial.system_attrs["constraints:state"] == (1.0 if memory > 16 else -1.0)
    assert [trial.state is State.INFEASIBLE for trial in bound.trials] == too_much(bound)

    assert free.best().config.train.weight_decay > 0.09  # it is tempting
    assert sum(too_much(free)[4:]) >= 15
    assert 1 <= sum(too_much(bound)[4:]) <= 10
    assert 0.04 < bound.best().config.train.weight_decay <= 0.06

    worst = max(bound.trials, key=lambda trial: trial.config.train.weight_decay)
    with pytest.raises(
        UsageError, match=rf"trial {worst.number} of study 'bound' is infeasible \(constraint '{MEMORY}"
    ):
        promote_unconfirmed("bound", worst.number)
    with pytest.raises(SystemExit):
        main(["show", "bound"])
    assert f"trial {bound.best().number}" in capsys.readouterr().out


@pytest.mark.slow
def test_a_warm_start_judges_older_trials_by_the_new_constraints(run_sweep):
    old = run_sweep(SPACE, name="old", worker=Tempting)
    new = run_sweep({**SPACE, "constraints": [MEMORY], "trials": 6}, name="new", worker=Tempting, warm_start="old")
    assert len(fed("new")) == 24
    told = open_storage(study_dir("new")).trials[:24]
    assert [trial.state.name == "PRUNED" for trial in told] == too_much(old)
    assert [max(trial.constraints.values()) > 0 for trial in told] == too_much(old)
    assert [trial.number for trial in new.trials] == [*range(24, 30)]
    assert {trial.state for trial in new.trials if trial.overrides == old.best().overrides} == {State.INFEASIBLE}

    run_sweep({**SPACE, "constraints": ["train/tokens_per_s >= 1"], "trials": 2}, name="dumb", warm_start="old")
    assert fed("dumb") == []  # nobody knows how fast they were
