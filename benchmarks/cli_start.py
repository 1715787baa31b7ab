"""Measures how long `podium --help` and the listings take: `python -m benchmarks.cli_start [--json]`."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.report import Report, arguments

PODIUM = (sys.executable, "-m", "podium.cli.main")
NOTHING = (sys.executable, "-c", "pass")
HELP = (*PODIUM, "--help")
LISTINGS = ("studies",), ("show", "before"), ("trials", "before"), ("leaderboard",), ("quota",)
ROOT = Path(__file__).resolve().parents[1]
MADE = ROOT / "tests" / "fixtures" / "made_before"  # a study of two trials


def seconds(command: tuple[str, ...], home: str) -> float:
    environment = {**os.environ, "PODIUM_HOME": home, "PYTHONPATH": str(ROOT)}
    started_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=home, env=environment)
    return time.perf_counter() - started_s


def main() -> None:
    options = arguments(__doc__, runs=15)
    report = Report("cli_start")
    with tempfile.TemporaryDirectory() as home:
        shutil.copytree(MADE, home, dirs_exist_ok=True)
        shutil.copytree(MADE / "studies", Path(home) / "workspace" / "studies")
        seconds(HELP, home)  # warm-up: byte code and file cache
        pairs = [(seconds(NOTHING, home), seconds(HELP, home)) for _ in range(options.runs)]  # same load for both
        nothing, help_page = (median(column) for column in zip(*pairs, strict=True))
        report.figure("python -c pass", nothing, "s")
        report.figure("podium --help", help_page, "s")
        report.goal("podium --help minus python -c pass", help_page - nothing, "< 0.25", "s")
        for listing in LISTINGS:
            seconds((*PODIUM, *listing), home)
            taken = median(seconds((*PODIUM, *listing), home) for _ in range(options.runs))
            report.goal(f"podium {' '.join(listing)}", taken, "< 0.8", "s")
    report.print(options.json)


if __name__ == "__main__":
    main()
