"""Reads a model's config.json. Without JAX, so that the driver of a sweep can."""

import os
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.redaction import named_line, one_line
from trainer.model.architecture import Architecture, architecture_from_hf, check_family


def read_architecture(folder: Path) -> Architecture:
    """The architecture that config.json in `folder` describes. Raises UsageError."""
    path = folder / "config.json"
    values = read_json(path)
    if not isinstance(values, dict) or "model_type" not in values:
        raise UsageError(f"{path}: has no model_type, so it is not a model's config; check the folder")
    try:
        if values["model_type"] != "gemma3":
            check_family(values["model_type"])  # first, because transformers accepts hundreds of other types
        return architecture_from_hf(_transformers_config(folder))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
        # transformers checks the types of some fields only.
        raise UsageError(
            f"{path}: a value cannot be used ({named_line(error, 200)}); download the model again"
        ) from error


def _transformers_config(folder: Path) -> Any:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # no warning that PyTorch is missing
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    # The validation of a config can raise any exception of its fields.
    except Exception as error:
        raise UsageError(one_line(error, 300)) from error
