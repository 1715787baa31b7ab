from collections import Counter

import numpy as np

from trainer.data.order import batch_indices, bucketed_indices

PINNED = [0, 2, 9, 1, 8, 5, 4, 3, 6, 7]
BUCKETS = np.array([0, 1, 0, 2, 0, 1, 0, 0, 1, 2, 0], np.uint8)


def test_every_epoch_sees_every_example_once_in_an_order_of_its_own() -> None:
    epochs = np.concatenate([batch_indices(0, step, 10, 4) for step in range(5)]).reshape(2, 10)
    assert [Counter(epoch.tolist()) for epoch in epochs] == [Counter(range(10))] * 2
    assert epochs[0].tolist() != epochs[1].tolist()
    assert epochs[0].tolist() != np.concatenate([batch_indices(1, step, 10, 4) for step in range(3)])[:10].tolist()


def test_a_step_needs_no_step_before_it_and_never_changes() -> None:
    assert batch_indices(7, 123, 50, 8).tolist() == batch_indices(7, 123, 50, 8).tolist()
    # Written down: another numpy, machine or process must give the same examples, or a resumed run is another run.
    assert batch_indices(0, 0, 10, 10).tolist() == PINNED


def test_a_batch_may_be_larger_than_the_trainset() -> None:
    assert Counter(batch_indices(0, 0, 3, 7).tolist()).total() == 7
    assert set(batch_indices(0, 0, 3, 7).tolist()) == {0, 1, 2}


def test_a_bucketed_epoch_sees_every_example_and_none_in_a_shorter_bucket() -> None:
    for epoch in range(3):
        batches = [bucketed_indices(5, epoch * 4 + step, BUCKETS, 3) for step in range(4)]
        seen = np.concatenate([chosen for _, chosen in batches])
        assert set(seen.tolist()) == set(range(11)) and len(seen) == 12  # one example fills up the last batch
        assert all((BUCKETS[chosen] <= bucket).all() for bucket, chosen in batches)
        assert Counter(bucket for bucket, _ in batches)[0] == 2


def test_bucketed_epochs_differ_and_a_step_is_always_the_same() -> None:
    def epoch(number: int, seed: int = 5) -> list:
        found = [bucketed_indices(seed, number * 4 + step, BUCKETS, 3) for step in range(4)]
        return [(bucket, chosen.tolist()) for bucket, chosen in found]

    assert epoch(0) == epoch(0) and epoch(0) != epoch(1) and epoch(0) != epoch(0, seed=6)


def test_a_bucketed_batch_may_be_larger_than_the_trainset() -> None:
    bucket, chosen = bucketed_indices(0, 7, np.array([0, 1, 0], np.uint8), 8)
    assert bucket == 1 and set(chosen.tolist()) == {0, 1, 2} and len(chosen) == 8
