"""Finds what a package must not hold: tokens, keys, the values of secret variables, and home folders."""

import re
from collections.abc import Iterable
from pathlib import Path

from podium.core.private_paths import private_paths_in
from podium.core.redaction import secrets_in

OVERLAP = 8192  # characters of a chunk that are looked at again with the next one, since a token may be in both

# The forms that the issuers of tokens document, each with its name.
TOKENS = {
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{20,}",
    "a Kaggle token": r"\bKGAT_[A-Za-z0-9]{20,}",
    "a Kaggle key": r"\"username\"\s*:\s*\"[^\"]+\"\s*,\s*\"key\"\s*:\s*\"[0-9a-f]{32}\"",
    "an OpenAI or Anthropic key": r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}",
    "an AWS key": r"\bA(?:KI|SI)A[0-9A-Z]{16}\b",
    "a Google key": r"\bAIza[0-9A-Za-z_-]{35}",
    "a Slack token": r"\bxox[abprs]-[0-9A-Za-z-]{20,}",
    "a Weights & Biases key": r"(?i)\bwandb[^\n]{0,30}\b[0-9a-f]{40}\b",
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "a password in a URL": r"://[^\s:/@\"']{1,80}:[^\s/@\"'{}$*\[\]<>]{4,80}@",
}
_TOKENS = {what: re.compile(pattern) for what, pattern in TOKENS.items()}


def leaks_in(chunks: Iterable[bytes], is_data: bool) -> list[str]:
    """What a member must not hold, each by one text, without the secret itself.

    In data (`is_data`) other people's home folders are no leak: examples of a trainset may show a shell.
    """
    found: dict[str, None] = {}
    before = ""
    for chunk in chunks:
        text = before + chunk.decode("utf-8", errors="ignore")
        for leak in _leaks(text, is_data):
            found[leak] = None
        before = text[-OVERLAP:]
    return list(found)


def _leaks(text: str, is_data: bool) -> Iterable[str]:
    yield from (f"the value of {name}" for name in secrets_in(text))
    yield from (what for what, pattern in _TOKENS.items() if pattern.search(text))
    mine = f"{Path.home()}/"
    yield from (f"the home folder {folder}" for folder in private_paths_in(text) if not is_data or f"{folder}/" == mine)
