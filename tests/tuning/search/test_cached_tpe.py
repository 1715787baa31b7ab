"""Podium's TPE proposes what Optuna's does, whatever became of the trials before."""

import optuna
import pytest

from tuning.search.samplers.cached_tpe import CachedTpe

OPTIONS = {"multivariate": True, "group": True, "constant_liar": True, "n_startup_trials": 4}
STATES = optuna.trial.TrialState


def proposals(sampler, directions, pruned, n):
    """Three trials in flight that end in another order than they began, in every way that a trial can."""
    study = optuna.create_study(directions=directions)
    in_flight, found = [], []
    for number in range(n):
        study.sampler = sampler(seed=number, **OPTIONS)
        trial = study.ask()
        params = {"lr": trial.suggest_float("lr", 1e-4, 1e-1, log=True), "rank": trial.suggest_int("rank", 1, 8)}
        if trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "adam":
            params["beta"] = trial.suggest_float("beta", 0.8, 0.99)
        found.append(dict(trial.params))
        in_flight.append((trial, params))
        if len(in_flight) == 3:
            end(study, *in_flight.pop(number % 3), number, pruned)
    return found


def end(study, trial, params, number, pruned):
    values = [params["lr"] * params["rank"], params.get("beta", 1.0)][: len(study.directions)]
    trial.set_constraint("lr", params["lr"] - 0.05)
    if number % 7 == 6:
        study.tell(trial, state=STATES.FAIL)
    elif number % 4 in pruned:
        if len(values) == 1:
            trial.report(values[0], number)
        study.tell(trial, state=STATES.PRUNED)
    else:
        study.tell(trial, values)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(
    ("directions", "pruned"), [(["minimize"], [3]), (["minimize"], [0, 1, 2, 3]), (["maximize", "minimize"], [3])]
)
def test_it_proposes_what_optuna_s_does(directions, pruned):
    ours = proposals(CachedTpe, directions, pruned, 40)
    assert ours == proposals(optuna.samplers.TPESampler, directions, pruned, 40)
    assert len({str(params) for params in ours}) == 40
