"""The head of a Ray cluster on this machine, which ends with its standard input.

python -m tests.tuning.ray_head    prints {"address": ..., "gcs_server": PID, "raylet": PID} as JSON
"""

import json
import signal
import sys

from ray.cluster_utils import Cluster


def main() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    started = cluster.head_node.all_processes
    pids = {name: started[name][0].process.pid for name in ("gcs_server", "raylet")}
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as init does, so that a process that was killed is gone
    print(json.dumps({"address": cluster.address, **pids}), flush=True)
    sys.stdin.read()
    cluster.shutdown()


if __name__ == "__main__":
    main()
