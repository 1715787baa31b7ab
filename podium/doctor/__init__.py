"""`podium doctor`: what Podium finds on this machine, and how to mend what is broken. Changes nothing that stays."""

from collections.abc import Callable, Iterator

from podium.core.errors import PodiumError
from podium.core.redaction import named_line
from podium.doctor import credentials, machine, network, places, quota, ray_ports, stores, versions
from podium.doctor.finding import Finding

CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    versions.python,
    versions.libraries,
    machine.devices,
    machine.memory,
    places.workspace_folder,
    places.disk,
    places.ray_sockets,
    places.encoding,
    stores.mlflow,
    stores.optuna,
    stores.studies,
    credentials.hub_token,
    credentials.kaggle_token,
    network.hub,
    quota.week,
    ray_ports.listening,
)


def examine(checks: tuple[Callable[[], Iterator[Finding]], ...] = CHECKS) -> Iterator[Finding]:
    """The findings of every check in turn. A check that fails is itself a finding."""
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            yield from check()
        except PodiumError as error:
            line, _, fix = str(error).rpartition("; ")
            yield Finding.broken(name, line or fix, fix if line else "see docs/doctor.md")
        except Exception as error:  # noqa: BLE001 recorded: one check must not hide the others
            yield Finding.broken(name, f"the check failed: {named_line(error)}", "a bug in Podium: report it")
