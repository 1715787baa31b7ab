"""A sampler of the user's own, named in the space: proposals, resumes, and every way in which it can be wrong."""

import json

import pytest

from podium.core.errors import UsageError
from podium.core.paths import study_dir
from tests.tuning.analytic import AnalyticWorker
from tests.tuning.search.test_samplers import proposals
from tuning import load_study, resume, sweep
from tuning.search.load import load_space
from tuning.study.storage import open_storage

MODULE = '''
import optuna

def make(seed, n_startup_trials=2, **options):
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=n_startup_trials, **options)

class FromTheEnd(optuna.samplers.BaseSampler):
    """Proposes the upper end of every range, as a sampler of OptunaHub would: a subclass of Optuna's base class."""

    def __init__(self, seed, fails_after=None):
        self.fails_after = fails_after

    def infer_relative_search_space(self, study, trial):
        if self.fails_after is not None and trial.number >= self.fails_after:
            raise RuntimeError("no idea what to try")
        return {}

    def sample_relative(self, study, trial, search_space):
        return {}

    def sample_independent(self, study, trial, name, distribution):
        return distribution.high

def nothing(seed):
    return "a text"

def raises(seed):
    raise ValueError("bad weather")

LIST = [1]
'''
COUNT = iter(range(1000))


@pytest.fixture
def module(home, store):  # noqa: ARG001
    """The name of a module in home that no other test has imported."""
    name = f"own_samplers_{next(COUNT)}"
    (home / f"{name}.py").write_text(MODULE)
    return name


def spaced(write_space, python, **sampler):
    return write_space(sampler={"python": python, **sampler}, baseline=False)


def test_its_proposals_follow_from_seed_and_study_over_a_restart(write_space, module):
    space = load_space(spaced(write_space, f"{module}:make", seed=3, options={"multivariate": True}))
    undisturbed = proposals(space, 8)
    assert undisturbed == proposals(space, 8, restart=True)
    assert len({str(overrides) for overrides in undisturbed}) == 8
    other = load_space(spaced(write_space, f"{module}:make", seed=4, options={"multivariate": True}))
    assert proposals(other, 8) != undisturbed


def test_a_class_on_optunas_base_class_is_a_sampler(write_space, module):
    space = load_space(spaced(write_space, f"{module}:FromTheEnd"))
    rates = [overrides["train.learning_rate"] for overrides in proposals(space, 2)]
    assert rates == [space.parameters["train.learning_rate"].high] * 2


@pytest.mark.parametrize(
    ("python", "options", "line"),
    [
        ("no_such_module:make", {}, "there is no module no_such_module in "),
        ("{}:absent", {}, "absent in .*py is missing; check the path"),
        ("{}:LIST", {}, r"LIST in .*py is \[1\], must be a function; check the path"),
        ("{}.make", {}, "must be like pkg.module:name"),
        ("../x:make", {}, "must be like pkg.module:name"),
        ("{}:nothing", {}, "returned 'a text', must return an Optuna sampler"),
        ("{}:raises", {}, "raised ValueError: bad weather"),
        ("{}:make", {"n_startup": 3}, "raised TypeError: .*unexpected keyword argument 'n_startup'"),
    ],
)
def test_a_wrong_one_is_one_line(write_space, module, python, options, line):
    path = spaced(write_space, python.format(module), options=options)
    with pytest.raises(UsageError, match=rf"^{path}: sampler\.python='.*'.*{line}") as raised:
        load_space(path)
    assert "\n" not in str(raised.value)


def test_a_module_that_raises_is_one_line(write_space, home):
    (home / "own_broken_sampler.py").write_text("import optuna\n1 / 0\n")
    with pytest.raises(UsageError, match="importing own_broken_sampler raised ZeroDivisionError: division by zero"):
        load_space(spaced(write_space, "own_broken_sampler:make"))
    (home / "own_needy_sampler.py").write_text("import no_such_package\n")
    with pytest.raises(UsageError, match="importing own_needy_sampler raised ModuleNotFoundError: No module named"):
        load_space(spaced(write_space, "own_needy_sampler:make"))


def test_one_that_raises_in_a_sweep_stops_it_and_a_resume_goes_on(write_space, module, home):
    path = spaced(write_space, f"{module}:FromTheEnd", options={"fails_after": 2})
    study = sweep(path, trials=4, backend="inline", worker=AnalyticWorker, name="own")
    reason = f"sampler.python='{module}:FromTheEnd' raised RuntimeError: no idea what to try"
    assert (study.summary["stopped"], study.summary["failed"]) == (reason, True)
    assert [trial.state for trial in study.trials] == ["diverged", "diverged", "stopped"]
    assert study.trials[-1].reason == reason
    file = home / f"{module}.py"
    recorded = open_storage(study_dir("own")).user_attrs["code"]
    assert list(recorded) == [f"{module}:FromTheEnd"]
    file.write_text(MODULE.replace("return distribution.high", "return distribution.low"))
    said: list[str] = []
    again = resume("own", trials=4, backend="inline", worker=AnalyticWorker, say=said.append)
    assert said == [f"note: the file of {module}:FromTheEnd has changed since study own was created"]
    assert again.summary["failed"]  # this process has the module as it was: it raises again


def test_another_sampler_is_refused_at_a_resume(write_space, module):
    sweep(spaced(write_space, f"{module}:make"), trials=1, backend="inline", worker=AnalyticWorker, name="own")
    with pytest.raises(UsageError, match=r"sampler\.python: .*:make -> .*:FromTheEnd"):
        resume("own", spaced(write_space, f"{module}:FromTheEnd"), backend="inline", worker=AnalyticWorker)
    assert json.loads(json.dumps(load_study("own").summary))["states"] == {"complete": 1}
