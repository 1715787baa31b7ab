"""How the `name` of a sampler or scheduler in a space selects the class that reads its options."""

from typing import Any


def variant_name(value: Any) -> Any:
    """The name in a mapping of options, in the short form (the name alone), or of an object that was already read."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return value.get("name", "python" if "python" in value else None)
    return getattr(value, "name", None)
