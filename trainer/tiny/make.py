"""Rebuilds the tiny model's tokenizer: run `python -m trainer.tiny.make` after the tiny-reasoning recipe has changed.

Byte-level BPE (which covers any text), trained on the recipe's prompts and completions. Each digit is a token, so that
the digits of numbers of any length line up. A single letter is split from the space before it, so that it is the same
token everywhere.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from podium.core.files import read_json, write_json, write_text
from trainer.data.layouts import completion_text, prompt_text
from trainer.recipes import SEED, trainset_recipe

FOLDER = Path(__file__).parent
SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>")  # ids 0, 1, 2, as config.json says


def write(folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json for the vocabulary size of config.json, reproducibly."""
    config = read_json(FOLDER / "config.json")
    write_text(folder / "tokenizer.json", make(_texts(), config["vocab_size"]).to_str(pretty=True) + "\n")
    pad, bos, eos = SPECIAL_TOKENS
    settings = {"pad_token": pad, "bos_token": bos, "eos_token": eos}
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": config["max_position_embeddings"]}
    write_json(folder / "tokenizer_config.json", settings)


def make(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train a tokenizer that adds <bos> before a text. Equal texts give equal tokenizers."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex(r"\b\p{L}\b"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    bos = SPECIAL_TOKENS[1]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, 1)]
    )
    return tokenizer


def _texts() -> Iterator[str]:
    for trace in trainset_recipe("tiny-reasoning").traces(SEED):
        yield prompt_text(trace.prompt)
        yield completion_text(trace)


if __name__ == "__main__":
    write(FOLDER)
    print(f"wrote {FOLDER}/tokenizer.json")
