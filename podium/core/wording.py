"""Counts and lists as messages show them."""

from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """`1 item`, `2 items`; the plural of the noun ends in -s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def named(ids: Iterable[str], limit: int = 5) -> str:
    """The first `limit` ids as text, and how many more there are."""
    listed = list(ids)
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more
