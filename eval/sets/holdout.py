"""Splits examples into a part to train on and a part to evaluate on that share no prompt, nor nearly one."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from eval.sets.contamination import NEAR, shares
from eval.sets.evalset import same_prompt_key, training_prompts
from podium.core.errors import UsageError
from podium.core.records import Example


@dataclass(frozen=True)
class HeldOut:
    """Indices of examples, in the order of the file. Those in neither repeat the prompt of one that is held out."""

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
    if not (0 < number < 1 or (number >= 1 and holdout.isdecimal())):  # 1.0 may mean one prompt, or all of them
        raise UsageError(rule)
    if n_prompts < 2:
        raise UsageError(f"--holdout {holdout}: the file has one distinct prompt; to hold one out, it must have two")
    wanted = round(number * n_prompts) if number < 1 else int(number)
    if not 1 <= wanted < n_prompts:
        raise UsageError(
            f"--holdout {holdout}: is {wanted} of {n_prompts} distinct prompts, must be 1 to {n_prompts - 1}"
        )
    return wanted


def hold_out(examples: Sequence[Example], holdout: str) -> HeldOut:
    """Hold out examples, one for each of their prompts, chosen by a hash of the prompt.

    Examples of which one teaches to answer the other's prompt, or nearly it by the measure of `contamination`, stay on
    one side, with those that are near to them. So fewer than asked for are held out if the next group is too large.

    Raises:
        UsageError: a bad `holdout`, or all prompts are near-duplicates of one another.
    """
    prompts = [_prompt(example) for example in examples]
    taught = [training_prompts(example) for example in examples]
    with_prompt = defaultdict[str, list[int]](list)
    for place, prompt in enumerate(prompts):
        with_prompt[same_prompt_key(prompt)].append(place)
    wanted = wanted_items(holdout, len(with_prompt))
    groups = _Groups(len(examples))
    for place, texts in enumerate(taught):
        for text in texts:
            for other in with_prompt.get(same_prompt_key(text), ()):
                groups.join(place, other)
    order = [
        place
        for key in sorted(with_prompt, key=lambda key: hashlib.sha256(b"podium-holdout/" + key.encode()).digest())
        for place in with_prompt[key]
    ]
    first = {places[0] for places in with_prompt.values()}  # of each prompt
    while True:
        aside = _choose(groups, order, first, wanted)
        held, kept = [place for place in order if place in aside & first], [i for i in order if i not in aside]
        if not held or not kept:
            raise UsageError(f"--holdout {holdout}: the prompts are near-duplicates of one another; hold out none")
        sources = [(place, text) for place in kept for text in taught[place]]
        near = shares([prompts[place] for place in held], [text for _, text in sources])
        pairs = [
            (place, sources[source][0])
            for place, found in zip(held, near, strict=True)
            for source, share in found.items()
            if share >= NEAR
        ]
        if not pairs:
            return HeldOut(kept=tuple(sorted(kept)), held=tuple(sorted(held)))
        for place, other in pairs:
            groups.join(place, other)


def _prompt(example: Example) -> str:
    """What an item made of the example asks: what the user says before the last answer that is learned."""
    turns = example.turns
    answers = [place for place, turn in enumerate(turns) if turn.role == "assistant" and turn.weight]
    return "\n".join(turn.content for turn in turns[: answers[-1] if answers else None] if turn.role == "user")


def _choose(groups: "_Groups", order: Sequence[int], first: set[int], wanted: int) -> set[int]:
    """Whole groups, the first of `order` whose distinct prompts fit into `wanted`."""
    members = defaultdict[int, list[int]](list)
    for place in order:
        members[groups.of(place)].append(place)
    chosen, n_chosen = set[int](), 0
    for group in members.values():
        n_prompts = sum(place in first for place in group)
        if n_chosen + n_prompts <= wanted:
            chosen.update(group)
            n_chosen += n_prompts
    return chosen


class _Groups:
    """Places that belong together (union-find)."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def of(self, place: int) -> int:
        """The place that stands for the group."""
        while self._parent[place] != place:
            self._parent[place] = place = self._parent[self._parent[place]]
        return place

    def join(self, one: int, other: int) -> None:
        self._parent[self.of(one)] = self.of(other)
