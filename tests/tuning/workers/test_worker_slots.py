import asyncio
from pathlib import Path

import pytest
from ray.exceptions import ActorDiedError

from tests.tuning.analytic import AnalyticWorker
from tuning.workers import worker_slots
from tuning.workers.resources import DeviceGroup
from tuning.workers.worker_slots import WorkerSlot


class DeadActor:
    """The handle of a worker that was killed."""

    class stats:
        @staticmethod
        async def remote() -> dict[str, object]:
            raise ActorDiedError()


def test_a_worker_that_died_is_counted_once_before_and_after_it_is_discarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep may ask for the usage between the discarding and the start of the next worker."""
    monkeypatch.setattr(worker_slots.ray, "kill", lambda _: None)
    slot = WorkerSlot(AnalyticWorker, tmp_path, {}, DeviceGroup("0" * 56, "CPU", 1, 0), 0)
    slot._actor = DeadActor()
    assert asyncio.run(slot.usage(1.0))["deaths"] == 1  # it died while idle, and nobody noticed
    slot.discard()
    assert asyncio.run(slot.usage(1.0))["deaths"] == 1
