"""How well memory is planned: the estimate of a training step against its compiled program, for every shipped base
config, on the CPU and on targets that are not here.

For the CPU, the plan's figure, from a child process without weights, is also compared with that of the program that a
run on this machine compiles. A program is compiled once and then read from the workspace's cache. Needs
`make plan-tools`, and minutes of two cores for each target.
"""

from pathlib import Path

from benchmarks.report import Report, arguments
from podium.core.config import RunConfig, load_config
from trainer.memory.estimate import with_compiled
from trainer.plan.base import load_shapes
from trainer.plan.plan import make_plan
from trainer.plan.program import Program
from trainer.plan.target import find_target
from trainer.programs.library import ProgramLibrary

BASES = Path("search_spaces/base")
ON_CPU = ("sft_tiny",)
ELSEWHERE = ("submission_gemma3_1b", "submission_gemma2_2b", "submission_gemma_flax", "submission_tpu")
TARGETS = "v5e:1x1,v5e:2x4,t4"


def main() -> None:
    options = arguments(__doc__, targets=TARGETS)
    report = Report("plan_accuracy")
    for name in ON_CPU:
        config = load_config(BASES / f"{name}.yaml")
        planned, own = _step(config, "local"), _own(config)
        report.goal(f"{name}, CPU: planned over compiled here", abs(planned.total / own - 1), "< 0.1")
        _compare(report, f"{name}, CPU", planned)
    for target in options.targets.split(","):
        for name in ELSEWHERE:
            _compare(report, f"{name}, {target}", _step(load_config(BASES / f"{name}.yaml"), target))
    report.print(options.json)


def _step(config: RunConfig, target: str) -> Program:
    (program,) = make_plan(config, find_target(target), functions={"train"}).programs
    return program


def _own(config: RunConfig) -> int:
    """The bytes of a training step that this process compiles."""
    library = ProgramLibrary(load=load_shapes)
    resolved = library.resolve(config, lambda: [])
    program = library.training_program(resolved)
    length = resolved.data.max_seq_len
    return with_compiled(program.memory_of(length), program.step_of(length)).total


def _compare(report: Report, name: str, program: Program) -> None:
    assert program.estimated is not None
    report.figure(f"{name}: compiled", program.total / 1e9, "GB")
    report.goal(f"{name}: estimate over compiled", abs(program.estimated / program.total - 1), "< 0.15")


if __name__ == "__main__":
    main()
