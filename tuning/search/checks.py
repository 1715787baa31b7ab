"""Checks of a whole search space, so that a mistake in it never makes a trial fail and is never silently ignored."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from podium.core.config import changeable_keys, check_key, is_own, keys_with_role
from podium.core.config_sections import Role
from podium.core.errors import UsageError
from podium.core.paths import check_name
from tuning.search import objectives
from tuning.search.arithmetic import Constraint, Expression
from tuning.search.objectives import COSTS, METRICS
from tuning.search.parameters import field_type

if TYPE_CHECKING:
    from tuning.search.parameters import Parameter
    from tuning.search.space import SearchSpace

# A parameter must be able to change what is learned or written: inputs of the program, the data and files that are
# read, how the data become rows, and how answers are generated. The seed of the generation is luck, so it is excluded.
SEARCHABLE = {
    *keys_with_role(Role.PROGRAM),
    *keys_with_role(Role.TRACED),
    *("data.trainset", "model.tokenizer", "model.revision"),
    *("data.packing", "data.length_buckets", "data.template", "data.layout", "data.loss_on", "data.system"),
    *("generate.num_samples", "generate.stop"),
} - {"device.count", "device.fsdp"}  # they divide the same model among devices
# Keys (or sections, with the dot) that do nothing unless another key has one of these values.
NEEDS: dict[str, tuple[str, tuple[Any, ...]]] = {
    "lora.": ("lora.enabled", (True,)),
    "train.final_lr_fraction": ("train.schedule", ("linear", "cosine", "wsd")),
    "train.decay_fraction": ("train.schedule", ("wsd",)),
    "train.momentum": ("train.optimizer", ("sgd", "muon")),
    "train.beta1": ("train.optimizer", ("adamw", "lion", "muon")),
    "train.beta2": ("train.optimizer", ("adamw", "lion", "muon")),
    "train.adafactor_decay": ("train.optimizer", ("adafactor",)),
}
# The names that a constraint may use beside config keys: what a worker reports.
REPORTED = (*METRICS, "train/learning_rate", *COSTS)


def check(space: "SearchSpace") -> None:
    """Raises UsageError, one line that names the mistake."""
    check_name(space.name, "space")
    if not any(parameter.is_drawn for parameter in space.parameters.values()):
        raise UsageError("parameters: all are fixed or computed; give one of them a range or choices")
    for key, parameter in space.parameters.items():
        _check_searchable(space, key)
        _check_when(space, key)
        if parameter.expression is not None:
            _check_expression(space, key, parameter.expression)
        _check_values(space, key)
    for key in space.parameters:
        _check_effect(space, key, space.parameters[key].when)
    for key in space.overrides:
        _check_effect(space, key, None)
    for number, values in enumerate(space.start_with):
        _check_start(space, number, values)
    _check_constraints(space)
    if space.scheduler.name == "pbt":
        _check_population(space)
    if space.objectives and not space.sampler.MULTI_OBJECTIVE:
        raise UsageError(
            f"sampler {space.sampler.name} supports one objective only; use tpe, nsga2, gp, random, qmc or grid"
        )
    space.sampler.size(space)


def _check_searchable(space: "SearchSpace", key: str) -> None:
    check_key(key)
    if key == "train.epochs":
        raise UsageError("parameters: train.epochs cannot be searched; search train.max_steps, the resource of a trial")
    if is_own(key) and space.base_config.get(key) is None:
        raise UsageError(f"parameters: {key} has no value in the base config, that of trial 0; set it under overrides")
    if key not in SEARCHABLE and not is_own(key):
        raise UsageError(
            f"parameters: {key} cannot be searched, since it does not change what is learned; set it in the base config"
        )
    if key in space.overrides and not is_own(key):
        raise UsageError(f"{key} is under both parameters and overrides; keep one")


def _check_when(space: "SearchSpace", key: str) -> None:
    for other, values in space.parameters[key].when.items():
        if other not in space.parameters:
            raise UsageError(f"parameters.{key}: when names {other}, must be another parameter of this space")
        parent = space.parameters[other]
        for value in values:
            if parent.expression is not None or not parent.contains(value):
                raise UsageError(f"parameters.{key}: when {other} is {value!r}, must be one of its values: {parent}")


def _check_expression(space: "SearchSpace", key: str, text: str) -> None:
    if field_type(key) not in (int, float):
        raise UsageError(f"parameters.{key}: {key} is not a number, so it cannot be computed; give it choices")
    for name in Expression(text).names:
        _check_number(space, name, f"parameters.{key}")


def _check_effect(space: "SearchSpace", key: str, when: dict[str, tuple[Any, ...]] | None) -> None:
    """`when` is the condition of a parameter; None for an override, which need not have an effect in every trial."""
    for prefix, (other, needed) in NEEDS.items():
        if not key.startswith(prefix) or key == other:
            continue
        shown = " or ".join(map(repr, needed))
        given = when.get(other) if when else None
        possible = given or space.values_of(other)
        if all(value not in needed for value in possible):
            raise UsageError(f"{key} has no effect while {other} is not {shown}; set {other} under overrides")
        if when is not None and any(value not in needed for value in possible):
            raise UsageError(f"{key} has no effect if {other} is not {shown}; add `when: {{{other}: ...}}` to it")


def _check_values(space: "SearchSpace", key: str) -> None:
    """Build the config at both ends of the range, so that a bound that RunConfig refuses is found now."""
    parameter = space.parameters[key]
    if parameter.type == "float" and field_type(key) is int:
        raise UsageError(f"parameters.{key}: type float, but {key} is a whole number; use type: int")
    for value in parameter.ends():
        # warmup_steps <= max_steps is the only rule that ties fields together; a combination that breaks it is found
        # when it is drawn.
        room = {"train.warmup_steps": 0} if key == "train.max_steps" else {}
        try:
            read = space.base_config.with_overrides({**room, **_condition(parameter), key: value}).get(key)
        except UsageError as error:
            raise UsageError(f"parameters.{key}: {error}") from None
        read = list(read) if isinstance(read, tuple) else read
        if read != value:
            raise UsageError(f"parameters.{key}: {value!r} would be read as {read!r}; write {read!r}")


def _check_start(space: "SearchSpace", number: int, values: dict[str, Any]) -> None:
    where = f"start_with[{number}]"
    for key, value in values.items():
        parameter = space.parameters.get(key)
        if parameter is None or not parameter.is_drawn:
            raise UsageError(f"{where}: {key} is not drawn in this space; leave it out")
        if not _is_in(parameter, value):
            raise UsageError(f"{where}: {key}={value!r}, must be in {parameter}")
    unused = sorted(set(values) - set(space.params(values)))
    if unused:
        raise UsageError(f"{where}: {unused[0]} is inactive for these values: {space.parameters[unused[0]]}")


def _check_constraints(space: "SearchSpace") -> None:
    bounds: dict[str, list[tuple[float, float, str]]] = {}
    for text in space.constraints:
        constraint = Constraint(text)
        if not constraint.names:
            raise UsageError(f"constraints: {text!r} names neither a config key nor a metric; name one")
        for name in constraint.names:
            if not _is_reported(name):
                _check_number(space, name, f"constraints: {text!r}")
        if bound := constraint.bound():
            bounds.setdefault(bound[0], []).append((*bound[1:], text))
    for name, found in bounds.items():
        _check_room(name, [*found, *_range(space, name)])


def _check_population(space: "SearchSpace") -> None:
    """Raises UsageError for a parameter that cannot change during training.

    A member of a population copies another's weights and its position in the data, so only what these do not depend on
    may vary.
    """
    fixed = [key for key in space.parameters if key not in changeable_keys()]
    if fixed:
        raise UsageError(
            f"scheduler pbt: {', '.join(fixed)} cannot change while a trial trains, so no trial could copy another; "
            "set under overrides, or use another scheduler"
        )
    if space.base_config.train.changes:
        raise UsageError("scheduler pbt: train.changes is what the scheduler searches; remove it from the base config")


def _check_room(name: str, found: list[tuple[float, float, str]]) -> None:
    """Raises UsageError if no value of `name` lies within all of the ranges (low, high, source of the range)."""
    low, high = max(found), min(found, key=lambda bound: bound[1])
    if low[0] > high[1]:
        raise UsageError(f"constraints: {low[2]!r} and {high[2]!r} contradict each other: no {name} satisfies both")


def _range(space: "SearchSpace", name: str) -> Iterator[tuple[float, float, str]]:
    if not _is_reported(name) and (values := space.values_of(name)):
        yield min(values), max(values), f"{name} from {min(values)} to {max(values)}"


def _is_reported(name: str) -> bool:
    return name in REPORTED or objectives.is_own(name)


def _check_number(space: "SearchSpace", name: str, where: str) -> None:
    try:
        check_key(name)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    values = space.values_of(name) or [0]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(f"{where}: {name} can be {value!r}, must be a number")


def _is_in(parameter: "Parameter", value: Any) -> bool:
    try:
        return parameter.contains(value)
    except TypeError:  # a text for a number
        return False


def _condition(parameter: "Parameter") -> dict[str, Any]:
    return {key: values[0] for key, values in parameter.when.items()}
