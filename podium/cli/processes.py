"""What a command does where several processes run it together (`device.distributed`)."""

import os
import sys


def only_the_first_speaks() -> None:
    """Of the processes that train one model together, the others print nothing but errors."""
    from trainer.device.processes import is_first

    if not is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115  until the process ends
