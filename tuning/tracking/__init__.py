"""MLflow as the place to compare trials: a study is a run, its trials are runs under it, and submissions join them."""

from tuning.tracking.store import tracking_uri
from tuning.tracking.submissions import mark_promoted, mirror
from tuning.tracking.tracker import Tracker

__all__ = ["Tracker", "mark_promoted", "mirror", "tracking_uri"]
