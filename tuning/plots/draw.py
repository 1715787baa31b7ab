"""Draws the plots of a study: pictures with matplotlib, an interactive page with plotly.

Both have the same functions in Optuna's visualization. A plot that cannot be drawn has a reason, and stops nothing.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Generic, Literal, TypeVar

from podium.core.redaction import named_line
from tuning.plots.kinds import KINDS, Kind, Source, spared
from tuning.study.study import StudyView

DOTS_PER_INCH = 120
_ONE = threading.Lock()  # pyplot keeps its figures in one place


T = TypeVar("T")


@dataclass(frozen=True)
class Drawn(Generic[T]):
    """The plots that could be drawn, by name, and why the others could not."""

    figures: dict[str, T]
    left_out: dict[str, str]


def pictures(view: StudyView, form: Literal["png", "svg"] = "png") -> Drawn[bytes]:
    """Every plot of a study as a picture."""
    return _each(view, lambda source, kind: _picture(source, kind, form))


def page(view: StudyView) -> tuple[str, dict[str, str]]:
    """Every plot of a study as one interactive HTML page that needs no network, and why others are left out."""
    from plotly.offline import get_plotlyjs

    drawn = _each(view, _interactive)
    parts = [f"<h2>{kind.title}</h2>\n{drawn.figures[kind.name]}" for kind in KINDS if kind.name in drawn.figures]
    title = escape(f"Study {view.name}")
    text = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font-family:system-ui,sans-serif;margin:2rem;max-width:70rem}</style>"
        f"<script>{get_plotlyjs()}</script></head>\n<body><h1>{title}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
    return text, drawn.left_out


def _each(view: StudyView, draw: Callable[[Source, Kind], T]) -> Drawn[T]:
    source = Source.of(view)
    figures: dict[str, T] = {}
    left_out: dict[str, str] = {}
    for kind in KINDS:
        if why := source.missing(kind):
            left_out[kind.name] = why
            continue
        try:
            figures[kind.name] = draw(source, kind)
        except Exception as error:  # noqa: BLE001 recorded; Optuna's plots fail in many ways on unusual studies
            left_out[kind.name] = named_line(error)
    return Drawn(figures, left_out)


def _picture(source: Source, kind: Kind, form: str) -> bytes:
    with _pyplot() as pyplot:
        axes = _steps_saved(pyplot, source.view) if kind.function is None else _optunas("matplotlib", source, kind)
        figure = _figure_of(axes)
        _set(figure, kind, source, title=kind.title if form == "png" else "")  # a page has titles of its own
        file = io.BytesIO()
        figure.savefig(file, format=form, dpi=DOTS_PER_INCH, bbox_inches="tight")
    return file.getvalue()


def _set(figure: Any, kind: Kind, source: Source, title: str) -> None:
    """Size, title and labels: those of many panels are small, so that they do not overlap."""
    from matplotlib.ticker import NullFormatter

    figure.set_size_inches(*_size(kind, source))
    panels = [panel for panel in figure.axes if panel.get_label() != "<colorbar>"]
    if len(panels) == 1:
        panels[0].set_title("", loc="left")
        panels[0].set_title(title)
        return
    figure.suptitle(title)
    for panel in panels:
        panel.set_title("")
        panel.tick_params(which="both", labelsize=7)
        for axis in (panel.xaxis, panel.yaxis):
            axis.label.set_size(8)
            axis.set_minor_formatter(NullFormatter())


def _size(kind: Kind, source: Source) -> tuple[float, float]:
    """In inches."""
    if kind.name == "slice":
        return max(8.0, 2.8 * len(source.varied)), 4.0
    if kind.name == "contour":
        return 9.0, 9.0
    return 8.0, max(3.5, 0.25 * len(source.view.trials)) if kind.name == "steps_saved" else 4.5


def _figure_of(axes: Any) -> Any:
    while not hasattr(axes, "get_figure"):
        axes = axes.flat[0]  # an array of panels
    return axes.get_figure()


def _interactive(source: Source, kind: Kind) -> str:
    figure = _spared_bars(source.view) if kind.function is None else _optunas("", source, kind)
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=kind.name))


def _optunas(module: str, source: Source, kind: Kind) -> Any:
    import optuna.visualization
    import optuna.visualization.matplotlib

    plots = optuna.visualization.matplotlib if module else optuna.visualization
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that matplotlib support is experimental; that a parameter is skipped
        return getattr(plots, str(kind.function))(source.study, **source.arguments(kind))


@contextmanager
def _pyplot() -> Iterator[Any]:
    """pyplot without a window; its figures are closed at the end."""
    with _ONE:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        settings = {"svg.fonttype": "none", "svg.hashsalt": "podium", "font.size": 10}
        try:
            with matplotlib.rc_context(settings):
                yield pyplot
        finally:
            pyplot.close("all")


def _steps_saved(pyplot: Any, view: StudyView) -> Any:
    rows = spared(view)
    _, axes = pyplot.subplots()
    numbers = [number for number, _, _ in rows]
    axes.barh(numbers, [trained for _, trained, _ in rows], label="trained")
    axes.barh(
        numbers, [left for _, _, left in rows], left=[trained for _, trained, _ in rows], label="saved", alpha=0.35
    )
    axes.set(title="Steps that early stopping saved", xlabel="steps", ylabel="trial")
    axes.invert_yaxis()
    axes.legend()
    return axes


def _spared_bars(view: StudyView) -> Any:
    from plotly import graph_objects

    rows = spared(view)
    numbers = [number for number, _, _ in rows]
    bars = [
        graph_objects.Bar(y=numbers, x=[row[at] for row in rows], name=name, orientation="h")
        for at, name in ((1, "trained"), (2, "saved"))
    ]
    layout = {"barmode": "stack", "xaxis_title": "steps", "yaxis_title": "trial", "yaxis_autorange": "reversed"}
    return graph_objects.Figure(bars, layout)
