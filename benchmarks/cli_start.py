"""Measures how much longer `podium --help` takes than starting Python: `python -m benchmarks.cli_start [--json]`."""

import subprocess
import sys
import time
from statistics import median

from benchmarks.report import Report, arguments

HELP = (sys.executable, "-m", "podium.cli.main", "--help")
NOTHING = (sys.executable, "-c", "pass")


def seconds(command: tuple[str, ...]) -> float:
    started_s = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started_s


def main() -> None:
    options = arguments(__doc__, runs=15)
    seconds(HELP)  # warm-up: byte code and file cache
    pairs = [(seconds(NOTHING), seconds(HELP)) for _ in range(options.runs)]  # interleaved: same load for both
    nothing, help_page = (median(column) for column in zip(*pairs, strict=True))
    report = Report("cli_start")
    report.figure("python -c pass", nothing, "s")
    report.figure("podium --help", help_page, "s")
    report.goal("podium --help minus python -c pass", help_page - nothing, "< 0.25", "s")
    report.print(options.json)


if __name__ == "__main__":
    main()
