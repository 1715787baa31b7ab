"""`Tokenizer`: text to ids and back, with the few facts that training and decoding need."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from podium.core.errors import UsageError
from podium.core.hashing import sha256_file_cached, sha256_files
from podium.core.redaction import one_line

# Any of the first two makes a tokenizer; the others belong to it.
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer.model"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"),
    "chat_template.jinja",
)


class Tokenizer:
    """A Hugging Face tokenizer folder.

    A prompt and its completion are encoded apart, so that a completion has the same ids whatever comes before it, in
    training and in decoding alike.
    """

    def __init__(self, folder: Path) -> None:
        """Raises UsageError: no tokenizer files, unreadable ones, or no end-of-sequence token."""
        if not any((folder / name).is_file() for name in TOKENIZER_FILES[:2]):
            raise UsageError(f"{folder} has no tokenizer.json or tokenizer.model; give the folder as model.tokenizer")
        self.folder = folder
        self._hf = _load(folder)
        if self._hf.eos_token_id is None:
            raise UsageError(f"{folder}: the tokenizer has no EOS token; set eos_token in tokenizer_config.json")
        self.eos_id: int = self._hf.eos_token_id
        self.eos_token: str = self._hf.eos_token
        self.has_chat_template = bool(self._hf.chat_template)
        starts_with = self._hf("a").input_ids[:1]  # a tokenizer may know a BOS and yet, by design, not use it
        self.bos_id: int | None = self._hf.bos_token_id if starts_with == [self._hf.bos_token_id] else None
        # Padding is never looked at (segment 0, weight 0), so any id will do where the tokenizer names none.
        self.pad_id: int = self.eos_id if self._hf.pad_token_id is None else self._hf.pad_token_id
        self.vocab_size: int = len(self._hf)

    def encode_prompt(self, prompt: str) -> list[int]:
        """BOS, where the tokenizer itself puts one in front, and the prompt."""
        return [*([] if self.bos_id is None else [self.bos_id]), *self._encode(prompt)]

    def encode_completion(self, text: str) -> list[int]:
        """The text and EOS."""
        return [*self._encode(text), self.eos_id]

    def chat_text(self, turns: Sequence[Mapping[str, str]], *, asks: bool) -> str:
        """A conversation of `{"role", "content"}` in the tokenizer's chat template; `asks` opens the model's turn.

        The text names its special tokens, BOS included. Raises UsageError: the template refuses such turns.
        """
        try:
            text: str = self._hf.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=asks)
        # A template raises what its author wrote, and the renderer whatever it meets.
        except Exception as error:
            reason = one_line(error, 200)
            raise UsageError(
                f"{self.folder}: the chat template cannot render the conversation ({reason}); use data.template=plain"
            ) from error
        return text

    def decode(self, ids: Sequence[int]) -> str:
        """Text without special tokens."""
        text: str = self._hf.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    @cached_property
    def sha256(self) -> str:
        """Over the tokenizer's files, names and contents."""
        return sha256_files(self.folder, tokenizer_files(self.folder), sha256_file_cached)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._hf(text, add_special_tokens=False).input_ids
        return ids


def tokenizer_files(folder: Path) -> list[Path]:
    return [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]


def _load(folder: Path) -> Any:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # it warns that PyTorch is missing, which is on purpose
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    # What a broken tokenizer raises depends on its kind: the Rust library raises plain Exception.
    except Exception as error:
        raise UsageError(f"{folder}: cannot read the tokenizer ({one_line(error, 200)})") from error
