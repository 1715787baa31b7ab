from pathlib import Path

import pytest

from podium.submission.packaging.leaks import OVERLAP, TOKENS, leaks_in

# In parts, so that this file does not hold what it looks for.
EXAMPLES = {
    "a Hugging Face token": "hf_" + "aB3" * 12,
    "a GitHub token": "ghp_" + "aB3" * 12,
    "a GitLab token": "glpat-" + "aB3" * 8,
    "a Kaggle token": "KGAT_" + "0123456789abcdef" * 2,
    "a Kaggle key": '{"username":"ann","key":"' + "0123456789abcdef" * 2 + '"}',
    "an OpenAI or Anthropic key": "sk-ant-" + "aB3" * 12,
    "an AWS key": "AKIA" + "0123456789ABCDEF",
    "a Google key": "AIza" + "aB3_-" * 7,
    "a Slack token": "xoxb-" + "0123456789" * 3,
    "a Weights & Biases key": "wandb login " + "0123456789abcdef0123" * 2,
    "a private key": "-----BEGIN RSA PRIVATE " + "KEY-----",
    "a password in a URL": "postgresql://ann:" + "secret@host/db",
}


def test_every_kind_has_an_example():
    assert set(EXAMPLES) == set(TOKENS)


@pytest.mark.parametrize("what", EXAMPLES)
def test_a_token_is_found_in_a_text_and_over_two_chunks(what):
    text = f"before {EXAMPLES[what]} after"
    for is_data in (False, True):
        assert leaks_in([text.encode()], is_data) == [what]
    for cut in range(1, len(text)):
        assert leaks_in([b"x " * OVERLAP + text[:cut].encode(), text[cut:].encode()], is_data=False) == [what]


@pytest.mark.parametrize(
    "text",
    ["sha256 " + "0123456789abcdef" * 4, "https://host:8080/path", "hf_model", "sk-learn", "3 < 4 @ 5", "\x00\xff\xfe"],
)
def test_what_is_no_token(text):
    assert leaks_in([text.encode("latin-1")], is_data=False) == []


def test_the_value_of_a_secret_variable_is_named_by_the_variable(monkeypatch):
    monkeypatch.setenv("MY_API_KEY", "0f1e2d3c4b5a")
    assert leaks_in([b"key 0f1e2d3c4b5a"], is_data=True) == ["the value of MY_API_KEY"]


def test_in_data_only_ones_own_home_folder_counts(monkeypatch):
    mine, other = "/ho" + "me/me", "/ho" + "me/ann"
    monkeypatch.setattr(Path, "home", lambda: Path(mine))
    text = f"ls {other}/x; ls {mine}/y".encode()
    assert leaks_in([text], is_data=True) == [f"the home folder {mine}"]
    assert leaks_in([text], is_data=False) == [f"the home folder {other}", f"the home folder {mine}"]
