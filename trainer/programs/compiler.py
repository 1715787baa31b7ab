"""Ahead-of-time compilation: each function of a program is compiled once for each set of input shapes."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
from jax.sharding import Mesh

Tree = Any
CompileKey = tuple[str, str, str]  # program key, function, shapes
# The functions of a run. `podium plan` compiles each of them for machines that are not here (trainer/plan/programs.py).
FunctionName = Literal["init", "train", "loss", "empty", "admit", "copies", "decode"]
FUNCTION_NAMES: tuple[str, ...] = get_args(FunctionName)


@dataclass(frozen=True)
class CompileRequest:
    """A function to compile: the shapes and shardings of its arguments, the shardings of its results, and the numbers
    of the arguments whose buffers the results may take over."""

    function: Callable[..., Any]
    arguments: tuple[Tree, ...]
    out_shardings: Tree
    mesh: Mesh
    donate: tuple[int, ...] = ()

    def lower(self) -> jax.stages.Lowered:
        with jax.set_mesh(self.mesh):
            jitted = jax.jit(self.function, out_shardings=self.out_shardings, donate_argnums=self.donate)
            return jitted.lower(*self.arguments)


Compile = Callable[[CompileKey, CompileRequest], jax.stages.Compiled]


class Compiler:
    """The compiled functions of one program key. May be shared between threads."""

    def __init__(self, program_key: str, compile_: Compile) -> None:
        self._program_key, self._compile = program_key, compile_
        self._lock = threading.RLock()
        self._compiled: dict[CompileKey, jax.stages.Compiled] = {}

    def once(self, name: FunctionName, shape: tuple[int, ...] | str, request: Callable[[], CompileRequest]) -> Any:
        """The compiled function `name` for `shape`; `request` is called only if it has not been compiled yet."""
        with self._lock:
            key = self._key(name, shape)
            if key not in self._compiled:
                self._compiled[key] = self._compile(key, request())
            return self._compiled[key]

    def find(self, name: FunctionName, shape: tuple[int, ...] | str) -> jax.stages.Compiled | None:
        """The compiled function `name` for `shape`, or None if it has not been compiled yet."""
        return self._compiled.get(self._key(name, shape))

    def _key(self, name: FunctionName, shape: tuple[int, ...] | str) -> CompileKey:
        return self._program_key, name, shape if isinstance(shape, str) else "x".join(map(str, shape))
