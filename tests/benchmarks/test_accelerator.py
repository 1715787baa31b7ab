"""The command for a machine with an accelerator, rehearsed on the CPU."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import jax
import pytest

from benchmarks.accelerator import decode, parts, train
from benchmarks.accelerator.machine import TINY, Machine, n_parameters
from benchmarks.report import Report
from podium.core.budgets.accelerators import of_device_kind

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.accelerator", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture
def h100() -> Machine:
    """An H100 as far as the figures of its data sheet go; computes on the CPU."""
    known = of_device_kind("NVIDIA H100 80GB HBM3")
    return Machine(jax.devices()[0], known, False, TINY, "float32", 2, 32, 2, (2,), 4)


def test_an_unknown_part_is_refused():
    done = run("--only", "parity,speed")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --only speed, must be some of parity, compile")


def test_a_package_that_is_missing_is_named(monkeypatch, capsys):
    from benchmarks.accelerator import __main__ as command

    monkeypatch.setattr(command, "NEEDED", ("jax", "podium.missing", "missing.inner"))
    monkeypatch.setattr(sys, "argv", ["accelerator"])
    assert command.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: podium.missing, missing.inner not installed; ")
    assert "make wheels" in line


@pytest.mark.slow
def test_a_part_that_fails_or_takes_too_long_does_not_end_the_others(monkeypatch):
    monkeypatch.setattr(parts, "PARTS", {"absent": 60.0, "parity": 0.01, "compile": 120.0})
    report = Report("accelerator")
    assert parts.run_all(report, ["absent", "parity", "compile"]) == ["absent", "parity"]
    found = {figure["what"]: figure["value"] for figure in report.figures}
    assert found["device: cpu"] == "rehearsal, no figures of an accelerator"
    assert found["absent: the whole part"] == (
        "failed: ModuleNotFoundError: No module named 'benchmarks.accelerator.absent'"
    )
    assert found["parity: the whole part"] == "ended at its time limit of 0 s"
    assert found["compile: the whole part"] > 0


@pytest.mark.slow
def test_the_parts_left_when_the_time_is_used_up_are_reported(monkeypatch):
    monkeypatch.setattr(parts, "LIMIT_S", 0.0)
    report = Report("accelerator")
    assert parts.run_all(report, ["parity", "trials"]) == ["device", "parity", "trials"]
    assert [figure["value"] for figure in report.figures] == ["not run: the 0 s of all parts were used up"] * 3


@pytest.mark.slow
def test_shares_follow_from_the_data_sheet(h100):
    report = Report("accelerator")
    train.measure(report, h100)
    fastest = max(figure["value"] for figure in report.figures)
    assert report.goals[-1]["value"] == pytest.approx(100 * 4 * n_parameters(TINY) * fastest / 989e12, rel=0.01)
    decode.measure(report, h100)
    weights = 4 * n_parameters(TINY)
    share, speed = report.goals[-1]["value"], report.figures[-1]["value"]
    assert share > 100 * weights * speed / 2 / 3.35e12  # adapters, keys and values come on top
    unknown = Report("accelerator")
    train.measure(unknown, replace(h100, known=None))
    assert unknown.goals[-1]["value"] is None and not unknown.goals[-1]["met"]


@pytest.mark.slow
def test_every_part_runs_on_a_cpu():
    done = run("--json")
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    names = {row["what"].split(":")[0] for row in printed["figures"]}
    assert names == {"device", *parts.PARTS}
    assert all(goal["met"] for goal in printed["reach"]), printed["reach"]
