"""The plots of a study in its MLflow run: pictures, and one interactive page. Refreshed while the sweep runs."""

import tempfile
from pathlib import Path
from typing import Any

from podium.core import settings
from podium.core.clock import Clock, MonotonicClock
from podium.core.files import write_bytes, write_json, write_text
from tuning.plots.draw import page, pictures
from tuning.study.study import StudyView, load_study

FOLDER, PAGE, LEFT_OUT = "plots", "plots.html", "left_out.json"  # among the run's artifacts
EVERY_S = 60.0
SHARE = 20  # drawing takes at most one part in so many of a sweep's time


class PlotWriter:
    """Draws the plots at most every EVERY_S seconds, and less often where drawing takes long."""

    def __init__(self, study: str, clock: Clock | None = None) -> None:
        self._study, self._clock = study, clock or MonotonicClock()
        self._due_s = self._clock.now() + EVERY_S

    def refresh(self, client: Any, run_id: str) -> bool:
        """Draw if that is due, and return whether it was. Raises whatever MLflow or the study's storage raises."""
        if self._clock.now() < self._due_s:
            return False
        self.write(client, run_id, load_study(self._study))
        return True

    def write(self, client: Any, run_id: str, view: StudyView) -> None:
        """Draw now, unless the setting `plots` is off."""
        if settings.get("plots") == "off":
            return
        began_s = self._clock.now()
        drawn, (text, left_out) = pictures(view), page(view)
        with tempfile.TemporaryDirectory(prefix="podium-plots-") as folder:
            for name, data in drawn.figures.items():
                write_bytes(Path(folder) / f"{name}.png", data)
            write_text(Path(folder) / PAGE, text)
            write_json(Path(folder) / LEFT_OUT, {**left_out, **drawn.left_out})
            client.log_artifacts(run_id, folder, FOLDER)
        now_s = self._clock.now()
        self._due_s = now_s + max(EVERY_S, SHARE * (now_s - began_s))
