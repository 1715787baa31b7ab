"""MLflow as the place to compare trials: a study is a run, its trials are runs under it, and submissions join them."""

from tuning.tracking.store import tracking_uri
from tuning.tracking.submissions import mirror
from tuning.tracking.tracker import Tracker

__all__ = ["Tracker", "mirror", "tracking_uri"]
