"""Compare expressions with math-verify, in the sandbox: hostile input computes for ever or fills the memory."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eval.sandbox.sandbox import Limits, ProgramResult, Sandbox

Pair = tuple[str, str]  # (right, found)
PACKAGE = "math_verify"
BATCH = 16  # pairs per process: a fork costs more than a comparison
LIMITS = Limits(wall_s=5.0, cpu_s=5, memory_bytes=1 << 30)

# math-verify's own time limits need signals, which the sandbox refuses: the sandbox has the limit.
PROGRAM = """
import logging
logging.disable(logging.CRITICAL)
from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

def read(text):
    kinds = [LatexExtractionConfig(), ExprExtractionConfig()]
    return parse(f"${text}$", kinds, fallback_mode="no_fallback", parsing_timeout=None)

def solve(pair):
    right, found = map(read, pair)
    return bool(right and found and verify(right, found, timeout_seconds=None, allow_set_relation_comp=True))
"""
# One of each kind, so that what SymPy imports late is imported before the sandbox closes.
WARM_UP: Sequence[Pair] = (
    *((r"x+1", r"1+x"), (r"\frac{3}{4}", r"0.75"), (r"2\sqrt{3}", r"\sqrt{12}"), (r"1, 2", r"2, 1")),
    *((r"[-2,7)", r"x \in [-2,7)"), (r"x < 2", r"(-\infty, 2)"), (r"2x+y=1", r"y=1-2x"), (r"x^2-1", r"(x-1)(x+1)")),
    *((r"50\%", r"0.5"), (r"\pi", r"3.14"), (r"\sin^2 x+\cos^2 x", r"1"), (r"\log 2", r"\ln 2"), (r"i^2", r"-1")),
    *((r"|x|", r"x"), (r"5!", r"120"), (r"2^{10}", r"1024"), (r"(1,2)", r"(2,1)"), (r"x^3", r"e^x")),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\3\end{pmatrix}"),
)


@dataclass(frozen=True)
class Verdict:
    same: bool
    problem: str | None = None  # why the pair could not be compared


def compare(pairs: Iterable[Pair], limits: Limits = LIMITS) -> dict[Pair, Verdict]:
    """Whether the two expressions of each pair are equal. One that takes too long or too much memory is not.

    Raises:
        PodiumError: the sandbox could not be started.
    """
    distinct = list(dict.fromkeys(pairs))
    left = [distinct[i : i + BATCH] for i in range(0, len(distinct), BATCH)]
    found: dict[Pair, Verdict] = {}
    if not left:
        return found
    with Sandbox(packages=[PACKAGE], warm_up=(PROGRAM, WARM_UP)) as sandbox:
        while left:
            results = sandbox.run_many([(PROGRAM, batch) for batch in left], limits=limits)
            left = [
                rest for batch, result in zip(left, results, strict=True) if (rest := _record(found, batch, result))
            ]
    return found


def _record(found: dict[Pair, Verdict], batch: list[Pair], result: ProgramResult) -> list[Pair]:
    """Add the verdicts up to the pair that ended the process; returns the pairs that are still to be compared.

    A pair is given up only if it was the first of its process, so that it had the whole time limit to itself.
    """
    n_done = next((i for i, error in enumerate(result.errors) if error is not None), len(batch))
    found.update((pair, Verdict(bool(same))) for pair, same in zip(batch[:n_done], result.outputs, strict=False))
    if n_done == 0:
        found[batch[0]] = Verdict(False, result.errors[0])
        n_done = 1
    return batch[n_done:]
