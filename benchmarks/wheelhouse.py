"""The size of the wheels that an offline session on Kaggle attaches, by accelerator: `python -m benchmarks.wheelhouse`.

Downloads up to 4 GB, and removes them again.
"""

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

from benchmarks.report import Report, arguments
from podium.submission.kaggle.wheelhouse import requirements, write_wheels

PYTHON = "3.11"


def main() -> None:
    options = arguments(__doc__)
    report = Report("wheelhouse")
    for kind in (None, "tpu", "gpu"):
        started_s = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="podium-bench-") as scratch:
            export = SimpleNamespace(python=PYTHON, owner="nobody", wheels="podium-wheels-benchmark")
            size = write_wheels(Path(scratch) / "wheels", export, requirements(PYTHON, kind))  # type: ignore[arg-type]
            report.figure(f"{kind or 'cpu'}: size", size / 1e9, "GB")
        report.figure(f"{kind or 'cpu'}: time to download", time.monotonic() - started_s, "s")
    report.print(options.json)


if __name__ == "__main__":
    main()
