"""Measures a machine with one accelerator, an NVIDIA GPU or a TPU, within 8 minutes, and prints one table.

    python -m benchmarks.accelerator [--only parity,train] [--json]

The machine needs JAX 0.10 or 0.11 with flax, optax, orbax-checkpoint, transformers and safetensors, and no network.
`make wheels` fills the folder wheels/ with what is needed beside them, for Python 3.11 to 3.13 on x86-64 Linux; copy it
with the clone, and install from it:

    python -m pip install --no-index --find-links wheels pydantic pyyaml

Each part runs in its own process with its own time limit. A part that fails or takes too long is reported as such, with
the figures that it had measured; the others go on. Without an accelerator, the same parts run on the CPU with tiny
sizes: a rehearsal, whose figures say nothing about an accelerator.

Exit code: 0 if every part ran to its end, 1 if one did not, 2 if a package is missing.
"""

import sys
from importlib.util import find_spec

from benchmarks.accelerator.parts import PARTS, measure_here, run_all
from benchmarks.report import Report, arguments

NEEDED = ("jax", "flax", "optax", "orbax.checkpoint", "transformers", "safetensors", "pydantic", "yaml")


def main() -> int:
    options = arguments(__doc__, only=",".join(PARTS), part="", into="")
    if missing := [name for name in NEEDED if not _is_installed(name)]:
        print(
            f"error: {', '.join(missing)} not installed; benchmarks.accelerator needs {', '.join(NEEDED)}; "
            "`make wheels` where there is a network, then here: "
            "python -m pip install --no-index --find-links wheels pydantic pyyaml",
            file=sys.stderr,
        )
        return 2
    if options.part:
        measure_here(options.part, options.into)
        return 0
    names = options.only.split(",")
    if unknown := [name for name in names if name not in PARTS]:
        print(f"error: --only {','.join(unknown)}, must be some of {', '.join(PARTS)}", file=sys.stderr)
        return 2
    report = Report("accelerator")
    failed = run_all(report, names)
    report.print(options.json)
    if failed:
        print(f"not measured to the end: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # the package that holds it is missing
        return False


if __name__ == "__main__":
    sys.exit(main())
