"""Search spaces: parameters, objectives, samplers, schedulers."""
