"""The libraries that a submission needs, checked before any module that imports them."""

import importlib

from podium.core.errors import UsageError
from podium.core.redaction import one_line

MODULES = ("jax", "flax", "optax", "orbax.checkpoint", "tokenizers", "safetensors", "huggingface_hub", "numpy", "yaml")


def check_imports() -> str:
    """Import every library, and return how many there are. Raises UsageError for one that cannot be imported."""
    for name in MODULES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UsageError(
                f"the module {name} cannot be imported ({one_line(error, 200)}); install what requirements.txt names"
            ) from error
    return f"{len(MODULES)} modules"
