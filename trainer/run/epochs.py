"""The number of steps of train.epochs, found without JAX: a sweep's driver needs it before any trial begins."""

from podium.core.config import RunConfig
from podium.core.paths import find_trainset
from podium.core.resolved import ResolvedData
from trainer.data.rows import in_rows, load_trainset
from trainer.data.sizes import lengths_of, resolve_lengths, resolve_steps
from trainer.data.tokenizer import Tokenizer
from trainer.model.config_file import read_architecture
from trainer.model.sources import find_files


def with_steps(config: RunConfig) -> RunConfig:
    """`config` with train.max_steps in place of train.epochs; its other sizes stay as they are.

    Raises:
        UsageError: the trainset or the model's config and tokenizer are missing or malformed.
        PodiumError: a download failed.
    """
    folder, tokenizer = find_files(config.model)
    encoded = load_trainset(find_trainset(config.data.trainset), Tokenizer(tokenizer), config.data)
    data = resolve_lengths(config, lengths_of(encoded), read_architecture(folder).max_positions).data
    rows = in_rows(encoded, ResolvedData.model_validate(data.model_dump(mode="json")))
    return resolve_steps(config, rows.n_rows)
