"""What of the week's quota is left, and whether the ledger can be read."""

from collections.abc import Iterator

from podium.core.run_files import LEDGER
from podium.doctor.finding import Finding


def week() -> Iterator[Finding]:
    from podium.core.budgets.ledger import read_ledger
    from podium.core.budgets.projection import hours_left
    from podium.core.budgets.quota import quotas

    if problem := read_ledger().problem:
        yield Finding.broken("quota", problem, f"podium repair {LEDGER}")
    found = quotas()
    left = [f"{name} {hours_left(week.left_s)} left" for name, week in found.weeks.items()]
    empty = [name for name, week in found.weeks.items() if not week.left_s]
    if empty:
        yield Finding.note("quota", ", ".join(left), "`podium quota` says when the week began")
    else:
        yield Finding.ok("quota", ", ".join(left))
