"""`Tokenizer`: text to token ids and back."""

import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from podium.core.errors import UsageError
from podium.core.hashing import sha256_file_cached, sha256_files
from podium.core.redaction import one_line

# One of the first two is required; the others are optional.
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer.model"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"),
    "chat_template.jinja",
)

# Ids only, and no warning about texts that are longer than the model's positions.
PLAIN = {
    "add_special_tokens": False,
    "return_attention_mask": False,
    "return_token_type_ids": False,
    "verbose": False,
}


class Tokenizer:
    """A Hugging Face tokenizer folder.

    A prompt and its completion are encoded separately, so that a completion has the same ids after any prompt, in
    training and in decoding.
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
        starts_with = self._hf("a").input_ids[:1]  # a tokenizer may define a BOS token but not use it
        self.bos_id: int | None = self._hf.bos_token_id if starts_with == [self._hf.bos_token_id] else None
        # Padding is masked out (segment 0, weight 0), so any id will do if the tokenizer defines none.
        self.pad_id: int = self.eos_id if self._hf.pad_token_id is None else self._hf.pad_token_id
        self.vocab_size: int = len(self._hf)

    def encode_prompt(self, prompt: str) -> list[int]:
        """The prompt, after BOS if the tokenizer uses one."""
        return [*([] if self.bos_id is None else [self.bos_id]), *self._encode(prompt)]

    def encode_completion(self, text: str) -> list[int]:
        """The text and EOS."""
        return [*self._encode(text), self.eos_id]

    def chat_texts(
        self,
        conversations: Sequence[Sequence[Mapping[str, Any]]],
        *,
        asks: bool,
        tools: Sequence[Mapping[str, Any]] = (),
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[str]:
        """Render conversations of turns `{"role", "content", ...}` with the tokenizer's chat template.

        `asks` opens the model's turn. `tools` are JSON schemas, `options` further variables of the template. The texts
        contain the special tokens, BOS included. Raises UsageError: the template cannot render one of them.
        """
        try:
            texts: list[str] = self._hf.apply_chat_template(
                [list(turns) for turns in conversations],
                tools=list(tools) or None,
                tokenize=False,
                add_generation_prompt=asks,
                **options,
            )
        # Both the template's author and the renderer choose their own exceptions.
        except Exception as error:
            reason = one_line(error, 200)
            raise UsageError(
                f"{self.folder}: the chat template cannot render the conversation ({reason}); use data.template=plain"
            ) from error
        return texts

    def chat_text(self, turns: Sequence[Mapping[str, Any]], *, asks: bool) -> str:
        """As `chat_texts`, for one conversation."""
        return self.chat_texts([turns], asks=asks)[0]

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, without BOS and EOS."""
        if not texts:
            return []
        ids: list[list[int]] = self._hf(list(texts), **PLAIN).input_ids
        return ids

    def encodings(self, texts: Sequence[str]) -> Sequence[Any]:
        """As `encode`, with the place of each token in the text: a `tokenizers.Encoding` for each.

        Raises UsageError: the tokenizer has no tokenizer.json, so it cannot tell the places.
        """
        found = self._hf(list(texts), **PLAIN).encodings if texts else []
        if found is None:
            raise UsageError(
                f"{self.folder}: the tokenizer has no tokenizer.json, which tells where the tokens of a conversation "
                "stand; use data.template=plain"
            )
        return list(found)

    def decode(self, ids: Sequence[int]) -> str:
        """Text without special tokens."""
        text: str = self._hf.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text

    @cached_property
    def sha256(self) -> str:
        """A hash of the names and contents of the tokenizer's files."""
        return sha256_files(self.folder, tokenizer_files(self.folder), sha256_file_cached)

    def _encode(self, text: str) -> list[int]:
        return self.encode([text])[0]


def tokenizer_files(folder: Path) -> list[Path]:
    """The tokenizer files that exist in `folder`."""
    return [folder / name for name in TOKENIZER_FILES if (folder / name).is_file()]


def _load(folder: Path) -> Any:
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # no warning that PyTorch is missing
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    # The exception of a broken tokenizer depends on its kind: the Rust library raises plain Exception.
    except Exception as error:
        raise UsageError(f"{folder}: cannot read the tokenizer ({one_line(error, 200)})") from error
