"""The Ray cluster that a sweep runs on: its address, its nodes, and what has to run on the driver's node."""

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import Any

from podium.core.errors import PodiumError, UsageError
from tuning.workers.resources import Node

CONNECT_TIMEOUT_S, ANSWER_S = 5.0, 2.0
HINT = "`ray status` on this machine must show the cluster, and the driver must be one of its nodes"


def check_address(address: str | None, joined: bool = False) -> str | None:
    """Returns `auto`, HOST:PORT, or None to start Ray here. `joined`: this process has joined a cluster already.

    Raises:
        UsageError: another form of address, or not the cluster that was joined.
        PodiumError: nothing listens at the address.
    """
    if address in (None, "", "local", "auto"):
        return address if address == "auto" else None
    assert address is not None
    if "://" in address:
        raise UsageError(
            f"--address {address}: a Ray client would run the whole sweep on the cluster; use auto or HOST:PORT on one "
            "of its nodes, or `ray job submit`"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"--address {address}: must be auto or HOST:PORT, like 10.0.0.2:6379")
    try:
        socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        raise PodiumError(
            f"no Ray cluster answers at {address} ({error.strerror or error}); start one there: ray start --head"
        ) from error
    if joined and address != _joined_address():
        raise UsageError(
            f"--address {address}: this process has already joined the Ray cluster {_joined_address()}; use that"
        )
    return address


def nodes() -> list[Node]:
    """The nodes that are alive, the driver's first."""
    import ray

    alive = [Node(node["NodeID"], node["Resources"]) for node in ray.nodes() if node["Alive"]]
    return sorted(alive, key=lambda node: node.id != _own_node())


@dataclass(frozen=True)
class Server:
    """A process of Ray that a driver cannot do without, and where it listens."""

    name: str
    host: str
    port: int

    def answers(self) -> bool:
        """Whether it accepts a connection."""
        with contextlib.suppress(OSError):
            socket.create_connection((self.host, self.port), ANSWER_S).close()
            return True
        return False


def control_server() -> Server:
    """The head of the cluster."""
    host, _, port = _joined_address().rpartition(":")
    return Server("Ray's control server (GCS)", host.strip("[]"), int(port))


def raylet() -> Server:
    """The process that starts the others on this node."""
    import ray

    own = next(node for node in ray.nodes() if node["NodeID"] == _own_node())
    return Server("Ray's raylet", own["NodeManagerAddress"], own["NodeManagerPort"])


def on_node(node: str) -> Any:
    """A scheduling strategy for actors that must run on this node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


def client_resources() -> dict[str, float]:
    """Resources that place Tune's clients on the driver's node. {"cpu": 0} alone is refused by Tune."""
    import ray

    own = next(node for node in nodes() if node.id == _own_node())
    head = "node:__internal_head__"
    return {"cpu": 0, head if own.count(head) else f"node:{ray.util.get_node_ip_address()}": 0.001}


def code_comes_with_job() -> bool:
    """Whether `ray job submit` started the driver, and so brought the code to every node."""
    return "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ


def _joined_address() -> str:
    import ray

    return str(ray.get_runtime_context().gcs_address)


def _own_node() -> str:
    import ray

    return str(ray.get_runtime_context().get_node_id())
