"""Puts names and numbers into the few words of an error sentence."""

from collections.abc import Sequence


def first_five(names: Sequence[str]) -> str:
    """The first five names, and how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def count(number: int, noun: str) -> str:
    """As in "1 mask" and "3 masks"."""
    return f"{number} {noun}{'s' if number != 1 else ''}"
