"""Models, data order, loss, step, loop, checkpoints and generation. Knows nothing of trials."""
