"""What `podium train` says of memory, and what it does where there is too little."""

from collections.abc import Callable
from pathlib import Path

from podium.core.records import ReasoningTrace
from trainer.data.trainsets import write_trainset


def test_a_device_that_is_too_small_is_one_line_and_writes_nothing(podium: Callable[..., object], home: Path) -> None:
    traces = [ReasoningTrace(prompt=f"{a}+1=?", final_answer=str(a + 1)) for a in range(9)]
    write_trainset(home / "sums", traces, name="sums", recipe="test", recipe_version="1", seed=None)
    (home / "c.yaml").write_text(f"data: {{trainset: {home / 'sums'}, max_seq_len: 32}}\n")
    done = podium("train", "c.yaml", "--out", "run", "--set", "device.memory_gb=0.001")
    assert done.code == 1 and done.err.count("\n") == 1
    assert "memory: a training step needs " in done.out and "(weights " in done.out
    assert "error: infeasible: a training step needs " in done.err
    assert "the device has 1 MB; try --set " in done.err and "nothing was written" in done.err
    assert not (home / "run").exists()
