"""What `podium verify` is given: a package, the folder of a run, or the name of a submission."""

from pathlib import Path

from podium.core.errors import UsageError
from podium.core.paths import check_name, submission_dir
from podium.core.run_files import LOCK
from podium.submission.lock import check_lock
from podium.submission.packaging.opened import verify_package
from podium.submission.verification.folder import verify_folder
from podium.submission.verification.replay import replay
from podium.submission.verification.report import Report


def verify(
    target: str, expect: str | None = None, replay_steps: int | None = None, allowed_signers: Path | None = None
) -> Report:
    """Verify `target`; the options are those of `verify_package`. What is wrong with it is reported.

    Raises:
        UsageError: there is nothing of that name, or a signature was asked of what is not a package.
    """
    if Path(target).is_file():
        return verify_package(Path(target), expect, replay_steps, allowed_signers)
    if allowed_signers is not None:
        raise UsageError(f"--allowed-signers with {target!r}: only a package is signed; give the zip")
    run_dir = Path(target) if Path(target).is_dir() else submission_dir(check_name(target, "submission"))
    report = verify_folder(run_dir, expect)
    if replay_steps is not None and report.passed and (run_dir / LOCK).is_file():
        report.run("replay", lambda: replay(check_lock(run_dir / LOCK), run_dir, replay_steps))
    return report
