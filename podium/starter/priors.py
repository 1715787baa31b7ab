"""Where to search a hyperparameter, by what is trained and how large it is. Wide on purpose: the sweep narrows them."""

from dataclasses import dataclass

SMALL, LARGE = 50e6, 0.9e9  # parameters


@dataclass(frozen=True)
class Prior:
    """A range on a logarithmic scale, the value to start from, and why."""

    low: float
    high: float
    start: float
    why: str


def learning_rate(n_parameters: float, lora: bool) -> Prior:
    """The prior of AdamW's peak learning rate."""
    size = f"AdamW, {'LoRA on' if lora else 'all of'} {shown_size(n_parameters)} parameters"
    if lora:
        # Biderman et al. 2024, arXiv 2405.09673: the best rates of LoRA are about ten times those of full fine-tuning.
        more = "about ten times that of full fine-tuning (arXiv 2405.09673)"
        if n_parameters < LARGE:
            return Prior(5e-5, 5e-3, 5e-4, f"{size}: {more}")
        return Prior(2e-5, 1e-3, 2e-4, f"{size}: {more}, less for larger models")
    if n_parameters < SMALL:
        return Prior(1e-4, 3e-2, 1e-3, f"{size}: small models take large rates; the tiny model's best is near 0.003")
    if n_parameters < LARGE:
        return Prior(1e-5, 1e-3, 1e-4, f"{size}: above the range, what was learned before is lost")
    return Prior(1e-6, 1e-4, 1e-5, f"{size}: above the range, what was learned before is lost")


def shown_size(n_parameters: float) -> str:
    """`29 thousand`, `15 million`, `2.6 billion`."""
    for unit, name in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if n_parameters >= 0.99 * unit:
            number = n_parameters / unit
            return f"{number:.1f} {name}" if number < 10 else f"{number:.0f} {name}"
    return f"{n_parameters:.0f}"
