"""The data order: the examples of each step, as a pure function of (seed, step)."""

from functools import lru_cache

import numpy as np


def batch_indices(seed: int, step: int, n_examples: int, batch: int) -> np.ndarray:
    """The examples of `step`, from an endless sequence of epochs, each with its own permutation. (batch,) int64"""
    positions = np.arange(step * batch, (step + 1) * batch)
    epochs, offsets = positions // n_examples, positions % n_examples
    return np.array([permutation(seed, int(epoch), n_examples)[at] for epoch, at in zip(epochs, offsets, strict=True)])


def bucketed_indices(seed: int, step: int, buckets: np.ndarray, batch: int) -> tuple[int, np.ndarray]:
    """The bucket of `step` and its examples, (batch,) int64, all of which fit in that bucket.

    `buckets` has the bucket of each example, (examples,) uint8, where 0 is the shortest. Examples that do not fill a
    batch of their own bucket move to the next longer one, and the last batch of an epoch is filled up with other
    examples.
    """
    n_batches = -(-len(buckets) // batch)
    return _epoch_of_batches(seed, step // n_batches, buckets.tobytes(), batch)[step % n_batches]


@lru_cache(maxsize=8)
def permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    """A permutation of range(n), the same on every machine."""
    # numpy keeps raw Philox words stable across releases, but not Generator.permutation.
    words = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64)).random_raw(n)
    return np.argsort(words, kind="stable")


@lru_cache(maxsize=8)
def _epoch_of_batches(seed: int, epoch: int, buckets: bytes, batch: int) -> list[tuple[int, np.ndarray]]:
    bucket_of = np.frombuffer(buckets, np.uint8)
    shuffled = permutation(seed, epoch, len(bucket_of))
    batches: list[tuple[int, np.ndarray]] = []
    waiting = shuffled[:0]
    for bucket in np.unique(bucket_of).tolist():
        waiting = np.concatenate([waiting, shuffled[bucket_of[shuffled] == bucket]])
        whole = len(waiting) // batch * batch
        batches += [(bucket, chosen) for chosen in waiting[:whole].reshape(-1, batch)]
        waiting = waiting[whole:]
    if len(waiting):
        batches.append((bucket, np.resize(np.concatenate([waiting, shuffled]), batch)))
    return [batches[at] for at in permutation(seed, epoch, len(batches))]
