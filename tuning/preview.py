"""What a space would draw, without a study on disk or a trial that runs."""

from typing import Any

from tuning.search.space import SearchSpace


def preview(space: SearchSpace, samples: int) -> list[tuple[dict[str, Any], str | None]]:
    """The first `samples` configurations of a study, each as (overrides, why it could not begin).

    They are what a sweep begins with: the base config, `start_with`, then the sampler's, which later ones depend on
    the scores of those before; here none has one.
    """
    import optuna

    from tuning.search.samplers import sampler_for
    from tuning.study.create import draw, enqueue
    from tuning.study.study import enqueued_count

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=[direction for _, direction in space.aims])
    enqueue(study, space)
    drawn = []
    size = space.sampler.size(space)
    for number in range(samples if size is None else min(samples, enqueued_count(study) + size)):
        study.sampler = sampler_for(space.sampler, space, number, number - enqueued_count(study))
        overrides = draw(study.ask(), space)
        drawn.append((overrides, space.refusal(overrides)))
    return drawn
