"""Draws configurations from a space without a study on disk, for `podium space check`."""

from typing import Any

from tuning.search.space import SearchSpace


def preview(space: SearchSpace, samples: int) -> list[tuple[dict[str, Any], str | None]]:
    """The first `samples` configurations that a sweep would try, each as (overrides, why it is infeasible or None).

    They are the base config, `start_with`, then the sampler's proposals. In a sweep the later proposals depend on the
    scores of earlier trials; here no trial has a score.
    """
    import optuna

    from tuning.search.samplers import sampler_for
    from tuning.study.create import draw, enqueue
    from tuning.study.study import enqueued_count

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=[direction for _, direction in space.aims])
    enqueue(study, space)
    n_enqueued = enqueued_count(study)
    drawn = []
    size = space.sampler.size(space)
    for number in range(samples if size is None else min(samples, n_enqueued + size)):
        with space.sampler.reported():
            study.sampler = sampler_for(space.sampler, space, number, number - n_enqueued)
            overrides = draw(study.ask(), space)
        drawn.append((overrides, space.refusal(overrides)))
    return drawn
