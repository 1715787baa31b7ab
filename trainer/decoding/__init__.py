"""Generation: slots, sampling, answers."""
