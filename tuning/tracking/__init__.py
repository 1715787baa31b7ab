"""MLflow as the place to compare trials: a study is a run, its trials are runs under it, and submissions join them."""

from tuning.tracking.submissions import mark_promoted, mirror
from tuning.tracking.tracker import Tracker, catch_up
from tuning.tracking.uri import refuse_useless, tracking_uri

__all__ = ["Tracker", "catch_up", "mark_promoted", "mirror", "refuse_useless", "tracking_uri"]
