"""Run a program in the confined child, and report its results line by line."""

import json
import os
import random
import sys
import types
from typing import Any

REPORT = 3  # the child's descriptor for its report; 0 is empty, 1 and 2 are counted and discarded
REFUSED = (1, 11, 13, 24)  # EPERM, EAGAIN, EACCES, EMFILE: the errors of a refused call


def run(source: str, entry: str, inputs: list[Any]) -> None:
    """Define the program's functions, then report one line per input: {"output": value} or {"error": reason}."""
    # Fixed seeds: a program gives the same answer in every server.
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    program = sys.modules["program"] = types.ModuleType("program")
    spare = bytearray(1 << 22)  # freed when memory runs out, so that the reason can still be reported
    failed = None
    try:
        exec(compile(source, "<program>", "exec"), program.__dict__)
        if not callable(getattr(program, entry, None)):
            failed = f"the program defines no function {entry!r}"
    except BaseException as error:  # noqa: BLE001 any exception, SystemExit too, is the result
        spare.clear()
        failed = reason(error)
    if failed is not None:
        say({"failed": failed})
        return
    for value in inputs:
        try:
            answer = {"output": getattr(program, entry)(value)}
        except BaseException as error:  # noqa: BLE001
            spare.clear()
            answer = {"error": reason(error)}
        say(answer)


def say(value: Any) -> None:
    try:
        text = json.dumps(value, default=lambda array: array.tolist(), allow_nan=False)
    except (AttributeError, TypeError, ValueError, RecursionError, MemoryError) as error:
        text = json.dumps({"error": f"the output is not JSON: {error}"[:300]})
    write_all(REPORT, text.encode() + b"\n")


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def reason(error: BaseException) -> str:
    """`line 3: ZeroDivisionError: division by zero`."""
    line, step = getattr(error, "lineno", None), error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == "<program>":
            line = step.tb_lineno
        step = step.tb_next
    text = f"line {line}: {type(error).__name__}: {error}".removesuffix(": ")[:300]
    if isinstance(error, OSError) and error.errno in REFUSED:
        text += "; a program has no files, no network and no processes"
    return text
