"""What Kaggle says about the weekly quota: the rows of `kaggle quota` (quota_view_cli of package kaggle 2.2.5)."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from datetime import datetime

from pydantic import AwareDatetime, ConfigDict, Field, field_validator

from podium.core.budgets.profiles import HOUR_S
from podium.core.errors import PodiumError, UsageError
from podium.core.json_text import parse_json
from podium.core.plain_values import Unreadable
from podium.core.records import Record, parse_record
from podium.core.redaction import one_line, redact

COMMAND = ("kaggle", "quota", "--format", "json")
TIMEOUT_S = 20.0
NO_COMMAND = "kaggle: not installed, so Kaggle's own figures are not known"
_HOURS = re.compile(r"(\d+(?:\.\d+)?)h")


class KaggleRow(Record):
    """One row: hours, as `12.34h`, and the time of the next refresh, empty if Kaggle does not say it."""

    model_config = ConfigDict(extra="ignore")  # another version may have more columns

    resource: str
    used: str
    remaining: str
    total: str
    refresh_at: AwareDatetime | None = Field(None, alias="refreshAt")

    @field_validator("refresh_at", mode="before")
    @classmethod
    def _empty_is_unknown(cls, text: object) -> object:
        return text or None

    @field_validator("used", "remaining", "total")
    @classmethod
    def _is_hours(cls, text: str) -> str:
        if not _HOURS.fullmatch(text):
            raise ValueError(f"{text!r} is not a number of hours such as 12.34h")
        return text


@dataclass(frozen=True)
class KaggleQuota:
    """The quota of one resource, `gpu` or `tpu`, in quota-seconds."""

    used_s: float
    left_s: float
    total_s: float
    refresh_at: datetime | None


def kaggle_quota(timeout_s: float = TIMEOUT_S) -> dict[str, KaggleQuota]:
    """The quota by resource, as `kaggle quota` prints it.

    Raises:
        PodiumError: the command is not installed, not configured, too slow, or prints something else. One line.
    """
    command = shutil.which(COMMAND[0])
    if command is None:
        raise PodiumError(NO_COMMAND)
    try:
        # No input, since a command that is not configured may ask for a key.
        found = subprocess.run(
            [command, *COMMAND[1:]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        raise PodiumError(f"kaggle quota: no answer within {timeout_s:g} s, so its figures are not known") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PodiumError(f"kaggle quota: did not run ({error}); reinstall the package kaggle") from error
    if found.returncode:
        # A traceback ends with its message.
        said = (found.stderr.strip() or found.stdout.strip() or "no message").splitlines()[-1]
        raise PodiumError(f"kaggle quota: failed ({redact(one_line(said, 200))}); `kaggle auth login` configures it")
    return parsed(found.stdout)


def parsed(text: str) -> dict[str, KaggleQuota]:
    """The rows of the command's JSON. Raises PodiumError for anything else."""
    try:
        rows = parse_json(text)
        if not isinstance(rows, list):
            raise UsageError("not a list of rows")
        found = [parse_record(KaggleRow, row, f"row {number}") for number, row in enumerate(rows, start=1)]
    except (Unreadable, UsageError) as error:
        raise PodiumError(f"kaggle quota: printed something else than rows ({one_line(str(error), 200)})") from error
    return {
        row.resource.lower(): KaggleQuota(
            _seconds(row.used), _seconds(row.remaining), _seconds(row.total), row.refresh_at
        )
        for row in found
    }


def _seconds(text: str) -> float:
    return float(text.removesuffix("h")) * HOUR_S
