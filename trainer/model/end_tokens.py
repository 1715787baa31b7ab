"""The tokens that end an answer."""

from pathlib import Path

from podium.core.errors import UsageError
from podium.core.files import read_json
from podium.core.redaction import one_line
from trainer.model.sources import GENERATION

KEY = "eos_token_id"


def end_tokens(folder: Path, eos_id: int, vocab_size: int) -> tuple[int, ...]:
    """The ids that end an answer: the tokenizer's EOS first, then those that the model in `folder` names.

    generation_config.json names them, or without that file config.json, as in transformers. A chat model has more than
    one: Gemma ends its turn with <end_of_turn>, a text with <eos>. Ids that the model cannot write are left out.

    Raises:
        UsageError: the file is malformed.
    """
    path = folder / GENERATION
    path = path if path.is_file() else folder / "config.json"
    values = read_json(path)
    if not isinstance(values, dict):
        raise UsageError(f"{path}: holds {type(values).__name__}, must be an object of settings; download it again")
    found = values.get(KEY)
    ids = found if isinstance(found, list) else [] if found is None else [found]
    if any(isinstance(item, bool) or not isinstance(item, int) or item < 0 for item in ids):
        raise UsageError(
            f"{path}: {KEY}={one_line(repr(found), 80)}, must be a token id or a list of token ids; correct it"
        )
    return tuple(dict.fromkeys((eos_id, *(item for item in ids if item < vocab_size))))
