"""Logits of every model family: the device's against the CPU's, on the committed fixtures with PyTorch's logits.

In float32, the difference from the CPU is measured with exact products; the default precision of an accelerator is
shown beside it (TF32 on a GPU, bfloat16 passes on a TPU). In bfloat16, both sides are far from the float32 logits, so
the device's largest error is compared with the CPU's.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors.numpy import load_file

from benchmarks.accelerator.machine import Machine
from benchmarks.report import Report
from trainer.device.sharding import mesh_of
from trainer.model.base_model import read_architecture
from trainer.model.decoder import Decoder
from trainer.model.weights import load_weights
from trainer.step.loss import logits

FIXTURES = Path(__file__).parents[2] / "tests" / "fixtures" / "models"


def measure(report: Report, machine: Machine) -> None:
    cpu = jax.devices("cpu")[0]
    for folder in sorted(path for path in FIXTURES.iterdir() if path.is_dir()):
        exact, reference = (_logits(folder, device, "float32", "highest") for device in (machine.device, cpu))
        default = _logits(folder, machine.device, "float32", None)
        half, half_on_cpu = (_logits(folder, device, "bfloat16", None) for device in (machine.device, cpu))
        wanted, mask = _fixture(folder)[2:]
        far = lambda found, other: float(np.abs(found - other)[mask == 1].max())  # noqa: B023, E731
        name = folder.name
        report.figure(f"{name}, CPU against PyTorch, float32", far(reference, wanted), "largest difference of a logit")
        report.figure(f"{name}, default precision, float32", far(default, reference), "largest difference of a logit")
        report.goal(f"{name}, float32", far(exact, reference), "< 0.0001", "of a logit")
        ratio = far(half, reference) / far(half_on_cpu, reference)
        report.figure(f"{name}, bfloat16", far(half, half_on_cpu), "largest difference of a logit")
        report.goal(f"{name}, bfloat16, error over the CPU's", ratio, "< 2", "times")


def _fixture(folder: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(tokens, positions, PyTorch's logits, mask)"""
    parity = load_file(folder / "parity.safetensors")
    tokens, mask, wanted = (parity[f"right_{name}"] for name in ("tokens", "mask", "logits"))
    return tokens, np.maximum(np.cumsum(mask, axis=-1) - 1, 0).astype(np.int32), wanted, mask


def _logits(folder: Path, device: jax.Device, dtype: str, precision: str | None) -> np.ndarray:
    """The logits of a fixture, computed on `device`: (batch, seq, vocab) float32."""
    arch, (tokens, positions, _, mask) = read_architecture(folder), _fixture(folder)
    state = load_weights(folder, arch, jnp.dtype(dtype), mesh_of([device]))
    graph = nnx.graphdef(nnx.eval_shape(lambda: Decoder(arch, nnx.Rngs(0), jnp.dtype(dtype))))

    def forward(state: nnx.State, *inputs: Any) -> jax.Array:
        decoder = nnx.merge(graph, state)
        hidden, _ = decoder(*inputs, None, dtype=jnp.dtype(dtype))
        return logits(hidden, decoder.head(), arch.final_softcap)

    with jax.default_matmul_precision(precision):
        return np.asarray(jax.jit(forward)(state, *jax.device_put((tokens, positions, mask), device)), np.float32)
