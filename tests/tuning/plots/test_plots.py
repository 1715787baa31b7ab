"""Every plot of every kind of study: drawn, or left out with a reason."""

import json
import xml.etree.ElementTree
from pathlib import Path

import pytest

from podium.core.clock import FakeClock
from podium.core.states import State
from tests.submission.small import write_study
from tuning.plots import draw
from tuning.plots.draw import page, pictures
from tuning.plots.kinds import KINDS
from tuning.study.study import load_study
from tuning.tracking.plots import EVERY_S, SHARE, PlotWriter

COMPLETE = [(State.COMPLETE, 10.0), (State.COMPLETE, 20.0), (State.COMPLETE, 15.0)]
ALL = {kind.name for kind in KINDS}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize(
    "trials",
    [(), COMPLETE[:1], COMPLETE[:2], COMPLETE, [(State.DIVERGED, None)] * 3, [*COMPLETE, (State.DIVERGED, None)]],
    ids=["none", "one", "two", "three", "diverged only", "mixed"],
)
def test_what_is_not_drawn_has_a_reason(home, trials):
    view = load_study(write_study(home, *trials))
    drawn = pictures(view)
    assert set(drawn.figures) | set(drawn.left_out) == ALL
    assert not set(drawn.figures) & set(drawn.left_out)
    assert all(data.startswith(PNG) for data in drawn.figures.values())
    if len(trials) > 2 and trials[0][0] is State.COMPLETE:
        assert {"history", "importances", "slice", "parallel_coordinates"} <= set(drawn.figures)
    if not trials or trials[0][0] is State.DIVERGED:
        assert drawn.left_out["history"] == "no trial is complete"


def test_the_page_needs_no_network_and_the_pictures_are_svg(home):
    view = load_study(write_study(home, *COMPLETE))
    text, left_out = page(view)
    assert "src=" not in text.split("</script>")[0].split(">", 1)[0]
    assert all(f"<h2>{kind.title}</h2>" in text for kind in KINDS if kind.name not in left_out)
    for data in pictures(view, "svg").figures.values():
        assert xml.etree.ElementTree.fromstring(data).tag.endswith("svg")


def test_a_plot_that_fails_is_recorded(home, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("of nothing")

    monkeypatch.setattr(draw, "_optunas", broken)
    drawn = pictures(load_study(write_study(home, *COMPLETE)))
    assert drawn.left_out["history"] == "ZeroDivisionError: of nothing"


class Client:
    """What MLflow was given."""

    def __init__(self):
        self.written = []

    def log_artifacts(self, run_id, folder, name):
        self.written.append((run_id, name, {path.name for path in Path(folder).iterdir()}))


def test_they_are_refreshed_at_intervals_and_cost_a_small_share(home, monkeypatch):
    monkeypatch.setenv("PODIUM_PLOTS", "on")
    study, clock, client = write_study(home, *COMPLETE), FakeClock(), Client()
    writer = PlotWriter(study, clock)
    assert not writer.refresh(client, "run")
    clock.advance(EVERY_S)
    original = pictures

    def slow(view):
        clock.advance(30.0)
        return original(view)

    monkeypatch.setattr("tuning.tracking.plots.pictures", slow)
    assert writer.refresh(client, "run")
    ((run_id, folder, names),) = client.written
    assert (run_id, folder) == ("run", "plots") and {"plots.html", "history.png", "left_out.json"} <= names
    clock.advance(SHARE * 30.0 - 1)
    assert not writer.refresh(client, "run")
    clock.advance(1)
    assert writer.refresh(client, "run")


def test_they_can_be_switched_off(home, monkeypatch):
    monkeypatch.setenv("PODIUM_PLOTS", "off")
    study, client = write_study(home, *COMPLETE), Client()
    PlotWriter(study, FakeClock()).write(client, "run", load_study(study))
    assert client.written == []


def test_a_sweep_leaves_them_in_its_run(home, store, monkeypatch):
    import yaml

    from tests.tuning.workers.test_worker import write_data
    from tuning import sweep
    from tuning.tracking import store as mlflow_store

    monkeypatch.setenv("PODIUM_PLOTS", "on")
    write_data(home)
    space = yaml.safe_load((home / "space.yaml").read_text()) | {"workers": 1}
    (home / "space.yaml").write_text(yaml.safe_dump(space))
    study = sweep("space.yaml", trials=3, backend="inline")
    client = mlflow_store.open_client(f"sqlite:///{store}")
    (run,) = mlflow_store.find_runs(client, mlflow_store.all_experiments(client), {"kind": "study"})
    names = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "plots")}
    assert {"plots/plots.html", "plots/history.png", "plots/left_out.json"} <= names
    path = Path(client.download_artifacts(run.info.run_id, "plots/left_out.json", str(home)))
    assert json.loads(path.read_text())["pareto_front"] == "there is one objective"
    assert study.name
