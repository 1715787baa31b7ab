"""Output of a command that several processes run together (`device.distributed`)."""

import os
import sys


def only_first_prints() -> None:
    """Silence standard output in every process but the first."""
    from trainer.device.processes import is_first

    if not is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  until the process ends
