"""What to search and how: search space, parameters, objectives, samplers, schedulers."""
