"""The report as one HTML page that loads nothing from elsewhere, from the template report.html."""

from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from eval.scorecard import floored, percent_text, points_text
from podium.core.wording import counted, named
from podium.report.facts import Report, label
from podium.report.svg import inline
from tuning.plots.draw import pictures
from tuning.plots.kinds import KINDS, Kind
from tuning.study.trial import TrialView

TEMPLATE = Path(__file__).with_name("report.html")


def report_page(report: Report) -> str:
    """The page. All data is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    drawn = pictures(report.study, "svg")
    plots = [
        (kind.title, kind.text, _inline(drawn.figures[kind.name], kind)) for kind in KINDS if kind.name in drawn.figures
    ]
    titles = {kind.name: kind.title for kind in KINDS}
    left_out = [(titles[name], why) for name, why in drawn.left_out.items()]
    return template.render(
        report=report,
        study=report.study,
        space=report.study.space,
        plots=plots,
        left_out=left_out,
        score=_score,
        label=label,
        counted=counted,
        named=lambda numbers: named(map(str, numbers), 12),
        points=points_text,
        percent=percent_text,
        prompt=_prompt,
        value=_value,
    )


def _inline(data: bytes, kind: Kind) -> Markup:
    return Markup(inline(data, kind.name, escape(f"{kind.title}: {kind.text}")))


def _score(value: float | None) -> str:
    return "-" if value is None else floored(value)


def _value(trial: TrialView | None, key: str) -> str:
    if trial is None:
        return "-"
    value = trial.overrides.get(key, "as in the base config")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _prompt(text: Any) -> str:
    line = " ".join(str(text).split())
    return line if len(line) <= 160 else line[:159] + "…"
