"""MLflow: a study is a run, its trials are runs below it, and submissions are runs beside them."""

from tuning.tracking.confirmations import log_confirmations
from tuning.tracking.submissions import log_missing, log_submission, mark_promoted, register_promoted
from tuning.tracking.tracker import Tracker, update_tracking
from tuning.tracking.uri import check_tracking_uri, tracking_uri

__all__ = [
    "Tracker",
    "check_tracking_uri",
    "log_confirmations",
    "log_missing",
    "log_submission",
    "mark_promoted",
    "register_promoted",
    "tracking_uri",
    "update_tracking",
]
