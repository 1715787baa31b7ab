"""`python -m trainer.plan.child`: compiles one function of a run for a target, in a process of its own.

Reads a `Job` from standard input. Writes one JSON value a line to standard output: each `Program` as it is compiled,
then, if the job cannot be done, `{"error": TEXT}`. The compilers' noise goes to standard error.
"""

import json
import os
import sys
from collections.abc import Iterator

from podium.core.errors import PodiumError
from podium.core.redaction import one_line
from trainer.plan.job import Job


def main() -> None:
    # The compilers write to file descriptor 1, too, so that what the parent reads moves to another one.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = Job.model_validate_json(sys.stdin.read())
    try:
        for program in _compiled(job):
            print(program, file=answers, flush=True)
    except PodiumError as error:
        print(json.dumps({"error": str(error)}), file=answers, flush=True)
    except Exception as error:
        print(json.dumps({"crash": one_line(error, 300)}), file=answers, flush=True)
        raise


def _compiled(job: Job) -> Iterator[str]:
    from trainer.device.machine import compiling_for
    from trainer.plan.base import load_shapes
    from trainer.plan.programs import compiled_programs
    from trainer.plan.topology import machine_of
    from trainer.programs.library import ProgramLibrary

    with compiling_for(machine_of(job.target)):
        library = ProgramLibrary(load=load_shapes)
        config = library.resolve(job.config, lambda: job.prompts)
        for program in compiled_programs(config, library, job.function):
            yield program.model_dump_json()


if __name__ == "__main__":
    main()
