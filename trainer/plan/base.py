"""A model without its weights: what its config.json says, as shapes."""

from pathlib import Path

from podium.core.config import RunConfig
from podium.core.config_sections import ModelConfig
from podium.core.errors import UsageError
from trainer.data.tokenizer import Tokenizer
from trainer.device.memory import device_bytes
from trainer.device.sharding import choose_mesh, parameter_shapes
from trainer.model.base_model import BaseModel, base_shapes, check_lengths, weights_bytes
from trainer.model.config_file import read_architecture
from trainer.model.sources import KAGGLE, TINY, config_folder, find_files, find_folder

# config.json of the models that the shipped configs name, written from their public descriptions.
TABLE = Path(__file__).parent / "architectures"
END_OF_SEQUENCE = 1  # of every model in TABLE


class NoTokenizer(Tokenizer):
    """In the place of a tokenizer that is not on this machine. Only lengths of texts need one."""

    def __init__(self, reason: str) -> None:
        self.reason, self.eos_id = reason, END_OF_SEQUENCE

    @property
    def end_of_turn_id(self) -> None:
        return None

    def __getattr__(self, name: str) -> None:
        raise UsageError(
            f"{self.reason}; without the tokenizer, set numbers for data.max_seq_len, generate.max_prompt_tokens and "
            "generate.max_new_tokens"
        )


def find_config(model: ModelConfig) -> Path:
    """The folder with the model's config.json: on this machine, in the hub's cache, or else in TABLE.

    Raises:
        UsageError: it is in none of them.
    """
    source = model.source
    if source == "tiny" or Path(source).expanduser().is_dir() or source.startswith(("/", ".", "~")):
        return config_folder(find_folder("model.source", source, model.revision))
    if not source.startswith(KAGGLE) and (cached := _in_cache(source, model.revision)):
        return cached
    known = TABLE / source.partition("/")[2]
    if not (source.startswith("google/") and (known / "config.json").is_file()):
        raise UsageError(
            f"model.source={source!r}: its config.json is not on this machine; give a folder that holds it"
        )
    return known


def load_shapes(config: RunConfig) -> BaseModel:
    """As `load_base`, but the parameters are shapes, and no file but config.json is needed.

    Raises:
        UsageError: as `load_base` and `find_config` do.
    """
    folder = find_config(config.model)
    arch = read_architecture(folder)
    check_lengths(config, arch)
    mesh = choose_mesh(config, weights_bytes(config, arch), device_bytes(config))
    params = None if folder == TINY else parameter_shapes(mesh, base_shapes(config, arch))
    return BaseModel(arch, params, _tokenizer(config, folder, arch.vocab_size), config.model.source, folder, mesh)


def _tokenizer(config: RunConfig, folder: Path, vocab_size: int) -> Tokenizer:
    if folder.is_relative_to(TABLE):
        return NoTokenizer(f"model.source={config.model.source!r} is not on this machine")
    model = config.model.model_copy(update={"source": "tiny" if folder == TINY else str(folder), "revision": None})
    try:
        return Tokenizer(find_files(model)[1], vocab_size)
    except UsageError as error:
        return NoTokenizer(str(error))


def _in_cache(repo: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repo, "config.json", revision=revision)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None
