"""Write a comparison as one self-contained HTML page, from the template eval/compare_page.html."""

from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template

from eval.compare import ComparedItem, ComparedRun, Comparison, Difference, Outcome, Pairing, Verdict
from eval.scorecard import floored
from eval.sets.groups import group_items
from podium.core.records import GROUPS

TEMPLATE = Path(__file__).with_suffix(".html")
VERDICTS: tuple[Verdict, ...] = ("fixed", "broken", "both wrong", "both right")


def comparison_page(comparison: Comparison) -> str:
    """The page as HTML. All data is escaped, and the page loads no outside resource."""
    names = [run.label for run in comparison.runs]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"{', '.join(names[1:])} against {names[0]}"),
        about=escape(
            f"{comparison.n_items} items of {comparison.evalset} ({comparison.part}, "
            f"sha256 {comparison.evalset_sha256[:12]}), scored by {comparison.scorer} "
            f"version {comparison.scorer_version}; bootstrap seed {comparison.seed}"
        ),
        runs="".join(map(_run, comparison.runs)),
        pairings="".join(map(_pairing, comparison.pairings)),
        filters="".join(_filters(comparison)),
        headings="".join(f"<th>{escape(name)}</th>" for name in names),
        items="".join(map(_item, comparison.items)),
    )


def interval_text(interval: tuple[float, float]) -> str:
    return " to ".join(map(floored, interval))


def p_text(p_value: float) -> str:
    """The p-value to four digits, cut; never 0."""
    return floored(p_value, 4) if p_value >= 1e-4 else "< 0.0001"


def groups(pairing: Pairing) -> Iterator[tuple[str, str, Difference]]:
    """(kind, name, difference) of every group, the overall one first with an empty kind.

    The only group of a kind has all items, so it would say the same again, and is left out.
    """
    yield "", "all items", pairing.overall
    found = list(group_items(pairing))
    sizes = Counter(kind for kind, _, _ in found)
    yield from (group for group in found if sizes[group[0]] > 1)


def _run(run: ComparedRun) -> str:
    also = "; ".join(f"{name} {floored(m.value)} ({interval_text(m.interval)})" for name, m in run.metrics.items())
    numbers = (floored(run.answer_correctness), interval_text(run.interval), str(run.n_missing))
    return f"<tr><td>{escape(run.label)}</td>{_numbers(*numbers)}<td>{escape(also)}</td></tr>"


def _pairing(pairing: Pairing) -> str:
    names = ("items", "fixed", "broken", "both right", "both wrong", "difference", "95% interval", "p (McNemar)")
    heads = "".join(f'<th class="number">{name}</th>' for name in names)
    rows = "".join(_difference(f"{kind} {name}", found, not kind) for kind, name, found in groups(pairing))
    return (
        f"<h2>{escape(pairing.other)} against {escape(pairing.base)}</h2>"
        f'<div class="scroll"><table><thead><tr><th>group</th>{heads}<th></th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _difference(name: str, found: Difference, overall: bool) -> str:
    counts = (found.n_items, found.fixed, found.broken, found.both_right, found.both_wrong)
    numbers = (*map(str, counts), floored(found.points), interval_text(found.interval), p_text(found.p_value))
    style = ' class="overall"' if overall else ""
    return f"<tr{style}><td>{escape(name)}</td>{_numbers(*numbers)}<td>{_interval_picture(found)}</td></tr>"


def _interval_picture(found: Difference) -> str:
    """An SVG from -100 to 100 points: the interval is a bar, the difference a dot, zero a line."""
    low, high = found.interval
    colour = "var(--good)" if low > 0 else "var(--bad)" if high < 0 else "var(--quiet)"
    return (
        '<svg viewBox="-104 -8 208 16" preserveAspectRatio="none" role="img">'
        '<line x1="-100" x2="100" y1="0" y2="0" stroke="var(--line)"/>'
        '<line x1="0" x2="0" y1="-7" y2="7" stroke="var(--quiet)"/>'
        f'<line x1="{low:.2f}" x2="{high:.2f}" y1="0" y2="0" stroke="{colour}" stroke-width="4"/>'
        f'<ellipse cx="{found.points:.2f}" cy="0" rx="3" ry="4" fill="{colour}"/></svg>'
    )


def _filters(comparison: Comparison) -> Iterator[str]:
    counts = Counter(verdict for item in comparison.items for verdict in set(item.verdicts))
    for verdict in VERDICTS:
        checked = "" if verdict == "both right" else " checked"
        yield f'<label><input type="checkbox" value="{verdict}"{checked}> {verdict} ({counts[verdict]})</label>'


def _item(item: ComparedItem) -> str:
    first, *others = item.outcomes
    pairs = zip(others, item.verdicts, strict=True)
    cells = _outcome(first, "right" if first.value == 1 else "wrong", "quiet")
    cells += "".join(_outcome(outcome, verdict, verdict.replace("both ", "quiet ")) for outcome, verdict in pairs)
    about = " · ".join(getattr(item, kind) for kind in GROUPS)
    return (
        f'<tr data-verdicts="{",".join(item.verdicts)}"><td><details><summary>{escape(item.id)}</summary>'
        f'<pre>{escape(item.prompt)}</pre></details><span class="quiet">{escape(about)}</span></td>'
        f"<td>{escape(item.expected)}</td>{cells}</tr>"
    )


def _outcome(outcome: Outcome, verdict: str, style: str) -> str:
    value = "" if outcome.value in (0, 1) else f" {floored(outcome.value, 4)}"
    said = "nothing predicted" if outcome.text is None else outcome.extracted or "nothing extracted"
    text = "" if outcome.text is None else f"<pre>{escape(outcome.text)}</pre>"
    return (
        f'<td><span class="{style}">{verdict}{value}</span> '
        f"<details><summary>{escape(said)}</summary>{escape(outcome.reason)}{text}</details></td>"
    )


def _numbers(*cells: str) -> str:
    return "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells)
