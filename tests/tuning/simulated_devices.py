"""A sweep on devices that Ray is told of but that do not exist.

python -m tests.tuning.simulated_devices SPACE.yaml KIND COUNT CHIPS    prints what each worker sees, as JSON
"""

import json
import os
import sys
from pathlib import Path

import ray
from ray import cloudpickle

from tests.tuning import analytic
from tests.tuning.analytic import AnalyticWorker
from tuning import sweep

cloudpickle.register_pickle_by_value(analytic)
VARIABLES = ("CUDA_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS")


class SeeingWorker(AnalyticWorker):
    def __init__(self, study_folder: Path) -> None:
        super().__init__(study_folder)
        self.sees = {name: os.environ[name] for name in VARIABLES if os.environ.get(name)}  # what JAX would read

    def stats(self) -> dict[str, object]:
        return {**super().stats(), "sees": self.sees}


def main(space: str, kind: str, count: str, chips: str) -> None:
    there = {"num_gpus": int(count)} if kind == "gpu" else {"resources": {"TPU": int(count)}}
    ray.init(address="local", namespace="podium", num_cpus=1, include_dashboard=False, log_to_driver=False, **there)
    study = sweep(space, backend="ray", workers={"chips": int(chips)}, worker=SeeingWorker)
    bridge = sys.modules.get("jax._src.xla_bridge")
    print(json.dumps([worker["sees"] for worker in study.summary["workers"]]))
    print(json.dumps(bool(bridge and bridge._backends)))


if __name__ == "__main__":
    main(*sys.argv[1:])
