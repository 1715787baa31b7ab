"""Compiles jobs, each in a child process: as many at once as the memory allows, and none that was compiled before."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from podium.core.config import RunConfig
from podium.core.errors import PodiumError, UsageError
from podium.core.records import Prompt
from trainer.device.memory import available_bytes
from trainer.plan.job import Job
from trainer.plan.program import Program
from trainer.plan.target import Target
from trainer.plan.tools import check_tools, environment
from trainer.programs.compiler import FUNCTION_NAMES

LIMIT_S = 900.0  # for one program; a large one takes a minute or two on two cores
CHILD_BYTES = 2.5e9  # a child used 0.8 to 1.8 GB for the shipped configs on a v5e and a T4


def jobs_of(config: RunConfig, target: Target, prompts: Sequence[Prompt] = ()) -> list[Job]:
    """One job for each function that a run can call."""
    return [Job(config=config, target=target, function=name, prompts=tuple(prompts)) for name in FUNCTION_NAMES]


def compile_all(
    jobs: Sequence[Job], limit_s: float = LIMIT_S, on_program: Callable[[Program], None] = lambda _: None
) -> list[list[Program]]:
    """The programs of each job. `on_program` gets each as it is known.

    Raises:
        UsageError: the compiler for the target is missing, or a config is wrong.
        PodiumError: a compilation took longer than `limit_s`, or its process died.
    """
    for target in {job.target for job in jobs}:
        check_tools(target.accelerator.kind)
    with ThreadPoolExecutor(max_workers=_n_children()) as pool:
        futures = [pool.submit(_programs, job, limit_s, on_program) for job in jobs]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _n_children() -> int:
    free = available_bytes()
    fit = 1 if free is None else free // CHILD_BYTES
    return max(1, min(os.cpu_count() or 1, int(fit)))


def _programs(job: Job, limit_s: float, on_program: Callable[[Program], None]) -> list[Program]:
    programs = job.cached()
    if programs is None:
        programs = []
        for program in _compiled(job, limit_s):
            programs.append(program)
            on_program(program)
        job.keep(programs)
    else:
        for program in programs:
            on_program(program)
    return programs


def _compiled(job: Job, limit_s: float) -> Iterator[Program]:
    """Run a child. Each program may take `limit_s`."""
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "trainer.plan.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, **environment(job.target.accelerator.kind)},
        )
        try:
            assert child.stdin is not None
            child.stdin.write(job.model_dump_json().encode())
            child.stdin.close()
            for line in _lines(child, job, limit_s):
                yield _program(line, job)
            if child.wait() != 0:
                raise PodiumError(
                    f"{_what(job)}: the compiler's process ended with code {child.returncode}; {_see(job)}"
                )
        finally:
            child.kill()
            child.wait()


def _lines(child: "subprocess.Popen[bytes]", job: Job, limit_s: float) -> Iterator[bytes]:
    """The child's answers. Raises PodiumError if the next one takes longer than `limit_s`."""
    answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def read() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            answers.put(line)
        answers.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = answers.get(timeout=limit_s)
        except queue.Empty:
            raise PodiumError(
                f"{_what(job)}: not compiled within {limit_s:g} s; give more with --compile-limit, or a smaller config"
            ) from None
        if line is None:
            return
        yield line


def _program(line: bytes, job: Job) -> Program:
    values = json.loads(line)
    if error := values.get("error"):
        raise UsageError(error)
    if crash := values.get("crash"):
        raise PodiumError(f"{_what(job)} does not compile: {crash}; {_see(job)}")
    return Program.model_validate(values)


def _what(job: Job) -> str:
    return f"the function {job.function} for {job.target}"


def _see(job: Job) -> str:
    return f"the compiler's messages are in {job.log}"
