"""The training step: loss, optimizer, schedule, loss scale."""
