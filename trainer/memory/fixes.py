"""Suggests changes to a config that needs too much memory."""

import jax.numpy as jnp

from podium.core.config import RunConfig
from trainer.device.devices import compute_dtype
from trainer.device.machine import devices


def fixes(config: RunConfig) -> list[str]:
    """Up to three changes that need less memory; those with the smallest effect on the run come first."""
    batch, steps = config.train.batch_size, config.train.gradient_accumulation_steps
    halved = f"--set train.batch_size={batch // 2} --set train.gradient_accumulation_steps={steps * 2}"
    length = config.data.max_seq_len
    shorter = 8 if length == "auto" else max(8, length // 2)
    rank = config.lora.rank if config.lora.enabled else 1
    narrower = f"--set lora.rank={rank // 2}"
    here = len(devices())
    candidates = [
        (here > 1 and config.device.fsdp != here and batch % here == 0, f"--set device.fsdp={here}"),
        (config.train.remat != "full", "--set train.remat=full"),
        (batch > 1, halved),  # the same examples per step
        (not config.lora.enabled, "--set lora.enabled=true"),
        (config.lora.enabled and config.model.base_dtype != "int8", "--set model.base_dtype=int8"),
        (rank > 8, narrower),
        (config.train.optimizer != "adafactor", "--set train.optimizer=adafactor"),
        (length != "auto" and length > shorter, f"--set data.max_seq_len={shorter}"),
        (1 < rank <= 8, narrower),
        (jnp.dtype(compute_dtype(config.train.dtype)).itemsize > 2, "--set train.dtype=bfloat16"),
    ]
    return [text for applies, text in candidates if applies][:3]


def decoding_fixes(config: RunConfig) -> list[str]:
    """As `fixes`, for prediction; `podium predict` accepts them, too."""
    generate = config.generate
    names = ("batch_size", "max_new_tokens", "max_prompt_tokens")
    halves = {name: getattr(generate, name) // 2 for name in names}
    return [f"--set generate.{name}={half}" for name, half in halves.items() if half]
