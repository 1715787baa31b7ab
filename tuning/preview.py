"""What a space would draw, without a study on disk or a trial that runs."""

from typing import Any

from tuning.space import SearchSpace


def preview(space: SearchSpace, samples: int) -> list[tuple[dict[str, Any], str | None]]:
    """The first `samples` configurations of a study, each as (overrides, why it could not begin).

    They are what a sweep begins with: the base config, `start_with`, then the sampler's, which later ones depend on
    the scores of those before; here none has one.
    """
    import optuna

    from tuning.samplers import seed_for
    from tuning.study import draw, enqueue

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction=space.direction)
    enqueue(study, space)
    drawn = []
    for number in range(samples):
        study.sampler = space.sampler.build(seed_for(space.sampler, number))
        overrides = draw(study.ask(), space)
        drawn.append((overrides, space.refusal(overrides)))
    return drawn
