"""`Tokenizer`: text to token ids and back."""

import copy
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from podium.core.errors import UsageError
from podium.core.files import read_text
from podium.core.hashing import sha256_file_cached, sha256_files
from podium.core.redaction import one_line

CHAT_TEMPLATE = "chat_template.jinja"
# One of the first two is required; the others are optional.
TOKENIZER_FILES = (
    *("tokenizer.json", "tokenizer.model"),
    *("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"),
    CHAT_TEMPLATE,
)
CLOCK = "strftime_now"  # the only function of transformers that tells a chat template the time
DIRECTIVES = "aAbBcdDeFGhHIjmMpRSTuUVwWxXyY"  # of strftime

# Ids only, and no warning about texts that are longer than the model's positions.
PLAIN = {
    "add_special_tokens": False,
    "return_attention_mask": False,
    "return_token_type_ids": False,
    "verbose": False,
}


class Tokenizer:
    """A Hugging Face tokenizer folder."""

    def __init__(self, folder: Path, vocab_size: int | None = None) -> None:
        """`vocab_size` is the model's, if it is known. The tokenizer may have more tokens, for example for images, but
        they cannot occur in a text.

        Raises:
            UsageError: no tokenizer files, unreadable ones, no end-of-sequence token, or one that the model lacks.
        """
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
        self._limit = vocab_size
        self._date: date | None = None
        self._refuse_unknown([[self.eos_id, *([] if self.bos_id is None else [self.bos_id])]])

    def at_date(self, day: date | None) -> "Tokenizer":
        """This tokenizer with a chat template that reads `day` from the clock, at midnight; None for the real clock."""
        dated = copy.copy(self)
        dated._date = day
        return dated

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
            template = None if self._date is None else clock_macro(self._date) + self._hf.get_chat_template()
            texts: list[str] = self._hf.apply_chat_template(
                [list(turns) for turns in conversations],
                chat_template=template,
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
        found: list[list[int]] = self._hf(list(texts), **PLAIN).input_ids
        self._refuse_unknown(found)
        return found

    def encodings(self, texts: Sequence[str]) -> Sequence[tuple[list[int], Any]]:
        """As `encode`, with the place of each token in the text: the ids and a `tokenizers.Encoding` for each.

        Raises UsageError: the tokenizer has no tokenizer.json, so it cannot tell the places.
        """
        if not texts:
            return []
        found = self._hf(list(texts), **PLAIN)
        if found.encodings is None:
            raise UsageError(
                f"{self.folder}: the tokenizer has no tokenizer.json, which tells where the tokens of a conversation "
                "stand; use data.template=plain"
            )
        self._refuse_unknown(found.input_ids)
        return list(zip(found.input_ids, found.encodings, strict=True))

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Text, by default without special tokens."""
        text: str = self._hf.decode(list(ids), skip_special_tokens=not special, clean_up_tokenization_spaces=False)
        return text

    def without_special(self, text: str) -> str:
        """The text without the special tokens in it."""
        special = [token.content for token in self._hf.added_tokens_decoder.values() if token.special]
        return re.sub("|".join(map(re.escape, special)), "", text)

    @cached_property
    def end_of_turn_id(self) -> int | None:
        """The added token with which the chat template ends the model's turn, such as <end_of_turn>; None without."""
        turns = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "the reply"}]
        try:
            end = self.chat_text(turns, asks=False).rpartition(turns[1]["content"])[2].strip()
            first = self.encode([end])[0][:1]
        except UsageError:  # without a template, or with one that cannot be used
            return None
        return next((token for token in first if token in self._hf.added_tokens_decoder), None)

    @property
    def chat_template(self) -> str:
        """The chat template's source, in Jinja; the tokenizer must have one."""
        text: str = self._hf.get_chat_template()
        return text

    @cached_property
    def sha256(self) -> str:
        """A hash of the names and contents of the tokenizer's files."""
        return sha256_files(self.folder, tokenizer_files(self.folder), sha256_file_cached)

    def _refuse_unknown(self, texts: Iterable[Sequence[int]]) -> None:
        """Raises UsageError, naming the token, if the model has no embedding for one of the ids."""
        unknown = 0 if self._limit is None else max((max(ids, default=0) for ids in texts), default=0)
        if self._limit is None or unknown < self._limit:
            return
        token = one_line(self._hf.convert_ids_to_tokens(unknown), 80)
        raise UsageError(
            f"{self.folder}: token {token!r} has id {unknown}, but the model has only vocab_size={self._limit} tokens; "
            "take it out of the text, or give the tokenizer of the same model"
        )


def reads_clock(folder: Path) -> bool:
    """Whether the chat template of the tokenizer in `folder` can read the clock."""
    files = (folder / name for name in ("tokenizer_config.json", CHAT_TEMPLATE))
    return any(CLOCK in read_text(file) for file in files if file.is_file())


def clock_macro(day: date) -> str:
    """A Jinja macro in place of `strftime_now`, which tells a chat template the midnight of `day`.

    transformers passes no function to a template, so the macro replaces the directives of a format one by one.
    """
    midnight = datetime.combine(day, datetime.min.time())
    directives = [f"%{flag}{letter}" for letter in DIRECTIVES for flag in ("", "-")]
    values = "".join(f" | replace({of!r}, {midnight.strftime(of)!r})" for of in directives)
    # The line break is not part of the text: transformers sets Jinja's trim_blocks.
    return f"{{% macro {CLOCK}(format) %}}{{{{ format{values} }}}}{{% endmacro %}}\n"


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
