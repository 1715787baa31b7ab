"""A sweep on a Ray cluster of two nodes on this machine. One node is lost during the sweep, and a new one joins.

    python -m tests.tuning.two_nodes SPACE.yaml FOLDER [URL]    prints the outcome as JSON

With a URL, each node has a disk of its own, simulated by a folder in FOLDER.

The worker on the lost node waits in the second report of its first trial until the node is killed. The one on the head
then waits until the new node has a trial. So the outcome does not depend on speed.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from ray import cloudpickle
from ray.cluster_utils import Cluster

import podium
from podium.core.config import RunConfig
from podium.core.records import Report
from tests.tuning import analytic
from tests.tuning.analytic import AnalyticWorker
from tuning import sweep
from tuning.study.events import Event

WAIT_S = 300.0
cloudpickle.register_pickle_by_value(analytic)


class NodeWorker(AnalyticWorker):
    """Its `stats` name its node and where its code was imported from."""

    def __init__(self, study_folder: Path) -> None:
        super().__init__(study_folder)
        self.node, self.meet = os.environ["TEST_NODE"], Path(os.environ["TEST_MEET"])

    def attach(self, trial_id: int, config: RunConfig, checkpoint: Path | None) -> int:
        (self.meet / f"seen-{self.node}").touch()
        if self.node == "head" and (self.meet / "killed").exists():
            wait_for(self.meet / "seen-new")
        return super().attach(trial_id, config, checkpoint)

    def advance(self, slot: int, until_step: int) -> Report:
        if self.node == "lost" and self.steps[slot]:
            wait_for(self.meet / "never")
        return super().advance(slot, until_step)

    def stats(self) -> dict[str, object]:
        return {**super().stats(), "node": self.node, "code": podium.__file__}


def wait_for(path: Path) -> None:
    ends_s = time.monotonic() + WAIT_S
    while not path.exists():
        if time.monotonic() > ends_s:
            raise TimeoutError(path)
        time.sleep(0.05)


def main(space: str, meet: str, url: str | None = None) -> None:
    folder, cluster, finished = Path(meet), Cluster(), set()

    def start(name: str) -> Any:
        """Start a node without the repository on its path.

        Each has its own folder for Ray's runtime environment: the loss of one node would empty a shared one.
        """
        own = {"PODIUM_NODE_WORKSPACE": str(folder / name)} if url else {}
        environment = {"TEST_NODE": name, "TEST_MEET": meet, "PYTHONPATH": "", **own}
        where = f"runtime_resources_{name}" if name != "head" else None
        return cluster.add_node(num_cpus=1, env_vars=environment, runtime_env_dir_name=where)

    start("head")
    lost = start("lost")

    def lose_and_grow(event: Event) -> None:
        if event.kind == "finished":
            finished.add(event.trial.number)
        if len(finished) == 2 and not (folder / "killed").exists():
            wait_for(folder / "seen-lost")
            (folder / "killed").touch()
            cluster.remove_node(lost, allow_graceful=False)
            start("new")

    study = sweep(space, address=cluster.address, worker=NodeWorker, listeners=[lose_and_grow], storage=url)
    bridge = sys.modules.get("jax._src.xla_bridge")
    told = {
        "states": [trial.state for trial in study.trials],
        "reasons": [trial.reason for trial in study.trials],
        "workers": study.summary["workers"],
        "driver_has_jax_backend": bool(bridge and bridge._backends),
    }
    cluster.shutdown()
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
