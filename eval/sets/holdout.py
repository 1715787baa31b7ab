"""Splits rows into a part to train on and a part to evaluate on that share no prompt, nor nearly one."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from eval.sets.contamination import NEAR, shares
from eval.sets.evalset import same_prompt_key
from podium.core.errors import UsageError


@dataclass(frozen=True)
class HeldOut:
    """Indices of rows, in the order of the file. The remaining rows repeat the prompt of one that is held out."""

    kept: tuple[int, ...]
    held: tuple[int, ...]


def wanted_items(holdout: str, n_prompts: int) -> int:
    """The number of items that `--holdout` asks for: a count, or a share of the distinct prompts such as 0.1.

    Raises:
        UsageError: it is neither, or would leave nothing on one side.
    """
    rule = f"--holdout {holdout}: must be a count such as 100, or a share such as 0.1"
    try:
        number = float(holdout)
    except ValueError:
        raise UsageError(rule) from None
    if not (0 < number < 1 or (number >= 1 and number.is_integer())):
        raise UsageError(rule)
    wanted = round(number * n_prompts) if number < 1 else int(number)
    if not 1 <= wanted < n_prompts:
        raise UsageError(f"--holdout {holdout}: of {n_prompts} distinct prompts, 1 to {n_prompts - 1} can be held out")
    return wanted


def hold_out(prompts: Sequence[str], holdout: str) -> HeldOut:
    """Hold out rows, one for each of their prompts, chosen by a hash of the prompt.

    Prompts that are near-duplicates by the measure of `contamination` stay on one side, with those that are
    near-duplicates of them. So fewer rows than asked for are held out if the next group is too large.

    Raises:
        UsageError: a bad `holdout`, or all prompts are near-duplicates of one another.
    """
    rows = defaultdict[str, list[int]](list)
    for place, prompt in enumerate(prompts):
        rows[same_prompt_key(prompt)].append(place)
    wanted = wanted_items(holdout, len(rows))
    order = sorted(rows, key=lambda key: hashlib.sha256(b"podium-holdout/" + key.encode()).digest())
    groups = _Groups(order)
    while True:
        held = _choose(groups, order, wanted)
        kept = [key for key in order if key not in held]
        if not held:
            raise UsageError(
                f"--holdout {holdout}: the prompts are near-duplicates of one another; hold out more or none"
            )
        near = shares([prompts[rows[key][0]] for key in held], [prompts[rows[key][0]] for key in kept])
        pairs = [
            (key, kept[place])
            for key, found in zip(held, near, strict=True)
            for place, share in found.items()
            if share >= NEAR
        ]
        if not pairs:
            break
        for held_key, kept_key in pairs:
            groups.join(held_key, kept_key)
    return HeldOut(
        kept=tuple(sorted(place for key in kept for place in rows[key])),
        held=tuple(sorted(rows[key][0] for key in held)),
    )


def _choose(groups: "_Groups", order: Sequence[str], wanted: int) -> dict[str, None]:
    """Whole groups, the first of `order` that fit into `wanted`."""
    members = defaultdict[str, list[str]](list)
    for key in order:
        members[groups.of(key)].append(key)
    chosen: dict[str, None] = {}
    for group in members.values():
        if len(chosen) + len(group) <= wanted:
            chosen |= dict.fromkeys(group)
    return chosen


class _Groups:
    """Keys that belong together (union-find)."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._parent = {key: key for key in keys}

    def of(self, key: str) -> str:
        """The key that stands for the group."""
        while self._parent[key] != key:
            self._parent[key] = key = self._parent[self._parent[key]]
        return key

    def join(self, one: str, other: str) -> None:
        self._parent[self.of(one)] = self.of(other)
