"""What a person sees of a study in MLflow's pages: `podium ui` on a real store, in a real browser.

PODIUM_SCREENSHOTS names a folder that keeps what it looked like.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import CHROMIUM, Page, browse
from tuning.study.study import StudyView
from tuning.tracking.description import MACHINE_LEARNING, trials_page
from tuning.tracking.tables import PREDICTIONS

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]
CARD = {
    "evalset": None,
    "answer_correctness": 50.0,
    "n_items": 2,
    "sections": {"core": {"answer_correctness": 50.0, "n_items": 2}},
    "categories": {},
    "difficulties": {},
    "scores": [
        {"id": "a", "value": 1.0, "expected": "4", "extracted": "4", "reason": "equal as numbers"},
        {"id": "b", "value": 0.0, "expected": "6", "extracted": "seven", "reason": "another number"},
    ],
}


@pytest.fixture
def study(run_sweep) -> StudyView:
    """Eight trials that were scored on two items each."""

    def write_files(event) -> None:
        if event.kind == "reported":
            texts = [{"id": "a", "text": "it is 4"}, {"id": "b", "text": "it is seven"}]
            (event.trial.dir / "predictions.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts))
            (event.trial.dir / "scorecard.json").write_text(json.dumps(CARD))

    rate = {"type": "float", "low": 1e-3, "high": 0.04, "log": True}  # none diverges, so that all have the metric
    searched = {"train.learning_rate": rate, "train.weight_decay": {"type": "float", "low": 0.0, "high": 0.1}}
    return run_sweep({"trials": 8, "parameters": searched}, listeners=[write_files])


@pytest.fixture
def address(study, free_port) -> Iterator[str]:
    command = [sys.executable, "-m", "podium.cli.main", "ui", "--port", str(free_port)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout.readline().startswith("starting MLflow's server")
    assert "Ctrl-C stops it" in server.stdout.readline()
    assert server.stdout.readline().startswith(
        f"the trials of {study.name}: http://127.0.0.1:{free_port}/#/experiments/"
    )
    yield f"http://127.0.0.1:{free_port}/#"
    server.terminate()
    server.communicate()


def test_the_pages_show_a_study_and_compare_its_trials(study, address, tmp_path):
    asyncio.run(_look(study, address, tmp_path))


async def _look(study: StudyView, address: str, tmp_path: Path) -> None:
    screenshots = Path(os.environ.get("PODIUM_SCREENSHOTS") or tmp_path / "screenshots")
    async with browse(screenshots, tmp_path / "profile") as page:
        await page.open(f"{address}/experiments?{MACHINE_LEARNING}")
        await page.until("Experiments", "small")
        await page.click("document.querySelector('[aria-label=Close]')")  # the assistant, which covers a third
        await page.screenshot("experiments")
        await page.open(f"{address}/experiments/1/runs?{MACHINE_LEARNING}")
        await _experiment(page, study)
        await _compare(page, study)
        await _run(page, study, address)


async def _experiment(page: Page, study: StudyView) -> None:
    """From the experiment to its study, and by the link in its description to the table of trials."""
    await page.until(study.name, "matching runs")
    await page.click_text(study.name)
    shown = await page.until("maximize dev/answer_correctness", "All trials, best first")
    assert f"Best: trial-{study.best().number:03d}" in shown
    assert "train.learning_rate" in shown
    await page.screenshot("study")
    find = "[...document.querySelectorAll('a')].find(e => e.innerText === 'All trials, best first')?.href"
    await page.open(await page.value(find))  # a click would open it in a new tab
    shown = await page.until("8 matching runs", "learning_rate", "weight_decay", "state", "pruned", "complete")
    assert all(f"trial-{trial.number:03d}" in shown for trial in study.trials)
    assert shown.index(f"trial-{study.best().number:03d}") == shown.index("trial-")  # best first
    assert trials_page(study.name, "").partition("?")[2] in await page.js("location.href")
    await page.screenshot("trials")


async def _compare(page: Page, study: StudyView) -> None:
    await page.click("document.querySelector('[aria-label=\"Select all runs\"]')")
    await page.click_text("Compare")
    shown = await page.until("Comparing 8 Runs from 1 Experiment", "Parallel Coordinates Plot", "trial-007")
    axes = await page.value("[...document.querySelectorAll('svg .axis-title')].map(e => e.textContent)")
    assert set(axes) == {"learning_rate", "weight_decay", "dev/answer_correctness"}, axes
    assert all(f"trial-{trial.number:03d}" in shown for trial in study.trials)
    await page.screenshot("compare")


async def _run(page: Page, study: StudyView, address: str) -> None:
    best = study.best()
    run = f"{address}/experiments/1/runs/{best.mlflow_run_id}"
    await page.open(run)
    shown = await page.until("Parameters", "state", "complete", "time/elapsed_s")
    assert "system/memory_gb" in shown
    await page.screenshot("trial")
    await page.open(f"{run}/artifacts/{PREDICTIONS}")
    shown = await page.until("config.yaml", "scorecard.json", "extracted", "another number", "it is seven")
    assert shown.index("another number") < shown.index("equal as numbers")  # what is wrong comes first
    await page.screenshot("predictions")
