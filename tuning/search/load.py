"""Reads a search space from its file and checks everything in it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from podium.core.config import RunConfig, first_problem, load_config, load_yaml
from podium.core.errors import UsageError
from podium.core.paths import find_file, is_there
from tuning.search.checks import check
from tuning.search.space import SearchSpace

ROWS_PER_STEP = ("train.batch_size", "train.gradient_accumulation_steps", "train.max_steps")


def load_space(path: str | Path) -> SearchSpace:
    """Read and check a space.

    Raises:
        UsageError: missing or corrupt file, unknown key, empty range, wrong type, a value that RunConfig refuses, or a
            parameter that has no effect; one line that names it.
    """
    file = find_file(str(path))
    values = load_yaml(file)
    if "base_config" in values:
        raise UsageError(f"{file}: unknown key 'base_config'; name the file of the base config in `base`")
    overrides = values.get("overrides") or {}
    if not isinstance(values.get("base"), str) or not isinstance(overrides, dict):
        raise UsageError(
            f"{file}: `base` must be the path of a base config, and `overrides` a mapping of keys to values"
        )
    try:
        base = load_config(_find_base(values["base"], file)).with_overrides(overrides)
        if base.train.epochs is not None:
            base = _with_steps(base, values.get("parameters"))
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    space = parse_space({**values, "overrides": overrides, "base_config": base.model_dump(mode="json")}, str(file))
    try:
        space.sampler.require()
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from None
    return space


def parse_space(values: Mapping[str, Any], where: str) -> SearchSpace:
    """A space from its values, which include `base_config`. Raises UsageError, whose message begins with `where`."""
    try:
        space = SearchSpace.model_validate(values)
        check(space)
    except ValidationError as error:
        raise UsageError(f"{where}: {first_problem(error)}") from error
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return space


def _with_steps(base: RunConfig, parameters: Any) -> RunConfig:
    """`base` with train.max_steps in place of train.epochs. Raises UsageError if trials would differ in it."""
    from trainer.run.epochs import with_steps

    for key in parameters if isinstance(parameters, dict) else ():
        if key in ROWS_PER_STEP or str(key).startswith("data."):
            raise UsageError(
                f"train.epochs={base.train.epochs:g} with {key} among the parameters: trials would differ in their "
                "steps, by which they are compared; set train.max_steps instead, and train.epochs to null"
            )
    return with_steps(base)


def _find_base(base: str, space_file: Path) -> Path:
    beside = space_file.parent / base
    return beside if is_there(beside) and beside.is_file() else find_file(base)
