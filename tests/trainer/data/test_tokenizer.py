"""Prompts and completions as ids, and the built-in tokenizer."""

import json
import shutil
from datetime import date
from pathlib import Path

import pytest

from podium.core.errors import UsageError
from tests.trainer.encoding import completion_ids, prompt_ids
from trainer.data.layouts import completion_text, prompt_text
from trainer.data.tokenizer import Tokenizer, reads_clock
from trainer.recipes import SEED, trainset_recipe
from trainer.tiny import make

TINY = Path(make.__file__).parent


@pytest.fixture(scope="module")
def tiny() -> Tokenizer:
    return Tokenizer(TINY)


def copy_with(tmp_path: Path, **settings: object) -> Path:
    """The tiny tokenizer with other settings; None takes one away."""
    shutil.copyfile(TINY / "tokenizer.json", tmp_path / "tokenizer.json")
    values = json.loads((TINY / "tokenizer_config.json").read_text()) | settings
    kept = {name: value for name, value in values.items() if value is not None}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(kept))
    return tmp_path


def test_a_prompt_starts_with_bos_and_a_completion_ends_with_eos(tiny: Tokenizer) -> None:
    assert (tiny.pad_id, tiny.bos_id, tiny.eos_id) == (0, 1, 2)
    prompt, completion = prompt_ids(tiny, "3+4=?\n"), completion_ids(tiny, "7")
    assert prompt[0] == tiny.bos_id
    assert completion[-1] == tiny.eos_id
    assert tiny.bos_id not in prompt[1:] + completion
    assert tiny.eos_id not in prompt + completion[:-1]


def test_the_text_comes_back(tiny: Tokenizer) -> None:
    for text in ("3+4=7\n<answer>7</answer>", "  two  spaces, 1234", "Größe → 42 ✓", ""):
        assert tiny.decode(completion_ids(tiny, text)) == text
        assert tiny.decode(prompt_ids(tiny, text)) == text


def test_every_trace_comes_back(tiny: Tokenizer) -> None:
    for trace in trainset_recipe("tiny-reasoning").traces(SEED)[:200]:
        for text in (prompt_text(trace.prompt), completion_text(trace)):
            assert tiny.decode(completion_ids(tiny, text)) == text


def test_digits_and_lone_letters_are_tokens_of_their_own(tiny: Tokenizer) -> None:
    assert len(completion_ids(tiny, "1234")) == 5
    assert completion_ids(tiny, "letter 1 is t")[-2] == completion_ids(tiny, "t")[0]


def test_making_it_again_gives_the_committed_bytes(tmp_path: Path) -> None:
    make.write(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / name).read_bytes() == (TINY / name).read_bytes(), f"{name}: run python -m trainer.tiny.make"


def test_the_tokenizer_fits_the_model(tiny: Tokenizer) -> None:
    assert tiny.vocab_size <= json.loads((TINY / "config.json").read_text())["vocab_size"]


def test_without_a_pad_token_eos_fills_up(tmp_path: Path) -> None:
    tokenizer = Tokenizer(copy_with(tmp_path, pad_token=None))
    assert tokenizer.pad_id == tokenizer.eos_id


def test_a_bos_that_the_tokenizer_does_not_use_is_not_added(tmp_path: Path) -> None:
    folder = copy_with(tmp_path)
    values = json.loads((folder / "tokenizer.json").read_text()) | {"post_processor": None}
    (folder / "tokenizer.json").write_text(json.dumps(values))
    tokenizer = Tokenizer(folder)
    assert tokenizer.bos_id is None
    assert prompt_ids(tokenizer, "t") == tokenizer.encode(["t"])[0]


def test_the_hash_follows_the_files(tiny: Tokenizer, tmp_path: Path) -> None:
    assert Tokenizer(copy_with(tmp_path, pad_token=None)).sha256 != tiny.sha256
    assert Tokenizer(TINY).sha256 == tiny.sha256


def test_a_tokenizer_without_eos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the tokenizer has no EOS token; set eos_token in tokenizer_config\.json"):
        Tokenizer(copy_with(tmp_path, eos_token=None))


CLOCK = """
{%- if strftime_now is defined %}{% set now = strftime_now('%d %b %Y, %-d. %B %H:%M') %}{% endif -%}
{% for message in messages %}{{ now }} {{ strftime_now(message['content']) }}{% endfor %}"""


def test_a_template_that_reads_the_clock_reads_the_given_date(tmp_path: Path) -> None:
    (copy_with(tmp_path) / "chat_template.jinja").write_text(CLOCK)
    tokenizer, turns = Tokenizer(tmp_path), [{"role": "user", "content": "%A"}]
    dated = tokenizer.at_date(date(2024, 7, 5))
    assert dated.chat_text(turns, asks=True) == "05 Jul 2024, 5. July 00:00 Friday"
    assert tokenizer.chat_text(turns, asks=True) != dated.chat_text(turns, asks=True)  # it still reads the clock
    assert dated.sha256 == tokenizer.sha256


@pytest.mark.parametrize("start", ["", "\n", "  {% if true %}a{% endif %}", "  a", "\n\n{%- if true %} b{% endif %}\n"])
def test_a_date_changes_nothing_else(tmp_path: Path, start: str) -> None:
    (copy_with(tmp_path) / "chat_template.jinja").write_text(start + "{{ messages[0]['content'] }}\n")
    tokenizer, turns = Tokenizer(tmp_path), [{"role": "user", "content": "hi"}]
    assert tokenizer.at_date(date(2024, 7, 26)).chat_text(turns, asks=True) == tokenizer.chat_text(turns, asks=True)


def test_whether_a_template_reads_the_clock(tmp_path: Path) -> None:
    assert not reads_clock(TINY)
    assert reads_clock(copy_with(tmp_path, chat_template=CLOCK))
    assert not reads_clock(copy_with(tmp_path, chat_template="{{ messages[0]['content'] }}"))
    (tmp_path / "chat_template.jinja").write_text(CLOCK)
    assert reads_clock(tmp_path)


def test_special_tokens_are_decoded_on_request_and_taken_out(tiny: Tokenizer) -> None:
    ids = completion_ids(tiny, "ab")
    assert (tiny.decode(ids), tiny.decode(ids, special=True)) == ("ab", "ab<eos>")
    assert tiny.without_special("<bos>ab<eos> c") == "ab c"


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Tokenizer(tmp_path)
    assert (
        str(caught.value) == f"{tmp_path} has no tokenizer.json or tokenizer.model; give the folder as model.tokenizer"
    )


def test_a_corrupt_tokenizer_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(UsageError, match="cannot read the tokenizer") as caught:
        Tokenizer(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.realdata
def test_a_real_tokenizer(realdata: Path) -> None:
    tokenizer = Tokenizer(realdata / "stories15m")
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.vocab_size) == (1, 2, 32000)
    for text in ("Once upon a time", "48/2 = <<48/2=24>>24\n#### 72", " two  spaces", "\nline"):
        assert prompt_ids(tokenizer, text)[0] == 1
        assert completion_ids(tokenizer, text)[-1] == 2
        assert tokenizer.decode(completion_ids(tokenizer, text)) == text
