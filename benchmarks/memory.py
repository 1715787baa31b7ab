"""Compares the temporary memory of a Gemma 3 1B LoRA step of Podium and of google-tunix, with and without its remat.

    bench/bin/python -m benchmarks.memory [--json]

The figures are from `memory_analysis()` of the step compiled for the CPU; the step is not run. Goals: ours is under
7 GB for 8 x 512 tokens, and grows by less than 0.2 MB per token between 4 x 256 and 8 x 512.
"""

import jax

from benchmarks.gemma3_1b import lower_ours, lower_tunix
from benchmarks.report import Report, arguments
from benchmarks.tunix_gemma3 import tunix_missing

GB = 1e9
SMALL, LARGE = (4, 256), (8, 512)


def temporaries(lowered: jax.stages.Lowered) -> int:
    return int(lowered.compile().memory_analysis().temp_size_in_bytes)


def main() -> None:
    options = arguments(__doc__)
    report = Report("memory")
    small, large = (temporaries(lower_ours(*shape)) for shape in (SMALL, LARGE))
    growth = (large - small) / (LARGE[0] * LARGE[1] - SMALL[0] * SMALL[1]) / 1e6
    report.figure("ours, 4 x 256 tokens", small / GB, "GB")
    report.figure("ours, 8 x 512 tokens", large / GB, "GB")
    if missing := tunix_missing():
        report.figure("google-tunix", missing)
    else:
        for remat in ("NONE", "DECODER"):
            theirs = temporaries(lower_tunix(*SMALL, remat))
            report.figure(f"google-tunix, remat {remat}, 4 x 256 tokens", theirs / GB, "GB")
            report.figure(f"ours over google-tunix, remat {remat}", small / theirs)
    report.goal("ours, 8 x 512 tokens", large / GB, "< 7", "GB")
    report.goal("growth from 4 x 256 to 8 x 512", growth, "< 0.2", "MB per token")
    report.print(options.json)


if __name__ == "__main__":
    main()
