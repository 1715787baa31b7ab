"""Pictures of plots as SVG that takes its colours from the page, light or dark."""

import re

# What matplotlib and the style that Optuna chooses (ggplot) write, and what the page calls it.
COLOURS = {
    "#e5e5e5": "var(--plot)",
    "#ffffff": "var(--page)",
    "#000000": "currentColor",
    "#262626": "currentColor",
    "#555555": "currentColor",
}
_HEAD = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_ID = re.compile(r'(\bid="|url\(#|href="#)')


def inline(data: bytes, name: str, text: str) -> str:
    """An SVG to be put into a page. `name` makes its ids its own; `text` is what a screen reader says."""
    svg = _HEAD.sub("", data.decode("utf-8"), count=1)
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = _ID.sub(rf"\g<1>{name}-", svg)
    for colour, meaning in COLOURS.items():
        svg = re.sub(colour, meaning, svg, flags=re.IGNORECASE)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)height="[^"]*"', r"<svg \1", svg, count=1)
    svg = re.sub(r'<svg ([^>]*?)width="[^"]*"', r"<svg \1", svg, count=1)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{text}" ', 1)
