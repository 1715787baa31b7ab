"""How `name:` in a space chooses the class that reads the other options."""

from typing import Any


def variant_name(value: Any) -> Any:
    """`name` of a mapping, of its short form (the name alone), or of what was already read."""
    if isinstance(value, str):
        return value
    return value.get("name") if isinstance(value, dict) else getattr(value, "name", None)
