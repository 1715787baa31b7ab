"""What a model learns and is asked in, plain and by the chat templates of two families."""

import json
import shutil
from pathlib import Path

import pytest

from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import ReasoningTrace, TraceStep
from trainer.data.template import ChatTemplate, PlainTemplate, choose_template, completion_text, prompt_text
from trainer.data.tokenizer import Tokenizer
from trainer.tiny import make

TINY = Path(make.__file__).parent
# Ends a turn with a token of its own and trims, as Gemma's does.
TURNS = (
    "{{ bos_token }}{% for message in messages %}<turn>{{ message['role'] }}\n{{ message['content'] | trim }}<end>\n"
    "{% endfor %}{% if add_generation_prompt %}<turn>model\n{% endif %}"
)
# Ends a turn with EOS and begins with no BOS, as Qwen's does.
EOS_TURNS = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
STEPS = tuple(TraceStep(i=i, type="compute", content=content) for i, content in enumerate(("1+2=3", "3+1=4")))
TRACE = ReasoningTrace(prompt="1+2+1=?", final_answer="4", steps=STEPS)


def chat_tokenizer(folder: Path, template: str) -> Tokenizer:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(TINY / name, folder / name)
    (folder / "chat_template.jinja").write_text(template)
    return Tokenizer(folder)


def text(tokenizer: Tokenizer, ids: list[int]) -> str:
    return tokenizer._hf.decode(ids, skip_special_tokens=False)


def test_layout_of_prompt_and_completion() -> None:
    assert prompt_text("1+2=?") == "1+2=?\n"
    assert completion_text(TRACE) == "1+2=3\n3+1=4\n<answer>4</answer>"
    bare = ReasoningTrace(prompt="p", final_answer="4")
    assert completion_text(bare) == completion_text(bare, "reasoning") == "<answer>4</answer>"
    reasoned = "<reasoning>\n1+2=3\n3+1=4\n</reasoning>\n<answer>4</answer>"
    assert completion_text(TRACE, "reasoning") == reasoned


def test_auto_is_plain_without_a_chat_template_and_chat_with_one(tmp_path: Path) -> None:
    tiny, chat = Tokenizer(TINY), chat_tokenizer(tmp_path, TURNS)
    assert isinstance(choose_template(tiny, DataConfig()), PlainTemplate)
    assert isinstance(choose_template(chat, DataConfig()), ChatTemplate)
    plain = choose_template(chat, DataConfig(template="plain"))
    assert plain.prompt("1+1=?") == tiny.encode_prompt("1+1=?\n")
    assert plain.completion(TRACE) == tiny.encode_completion(completion_text(TRACE))


@pytest.mark.parametrize(
    ("template", "prompt", "end"),
    [
        (TURNS, "{bos}<turn>user\n1+2+1=?<end>\n<turn>model\n", "<end>{eos}"),
        (EOS_TURNS, "user: 1+2+1=?{eos}\nassistant: ", "{eos}"),
    ],
)
def test_a_chat_completion_goes_on_where_the_prompt_ends(tmp_path: Path, template: str, prompt: str, end: str) -> None:
    tokenizer = chat_tokenizer(tmp_path, template)
    special = {"bos": tokenizer._hf.bos_token, "eos": tokenizer.eos_token}
    chat = choose_template(tokenizer, DataConfig(template="chat", layout="reasoning"))
    assert text(tokenizer, chat.prompt(TRACE.prompt)) == prompt.format(**special)
    completion = chat.completion(TRACE)
    assert text(tokenizer, completion) == completion_text(TRACE, "reasoning") + end.format(**special)
    assert completion.count(tokenizer.eos_id) == 1 and completion[-1] == tokenizer.eos_id
    # Together they are what the template makes of the whole conversation.
    turns = [{"role": "user", "content": TRACE.prompt}, {"role": "assistant", "content": completion_text(TRACE)}]
    whole = tokenizer.chat_text(turns, asks=False)
    plain = ChatTemplate(tokenizer)
    learned = text(tokenizer, plain.prompt(TRACE.prompt) + plain.completion(TRACE)).replace("model\n", "assistant\n")
    assert learned.removesuffix(special["eos"]) == whole.rstrip().removesuffix(special["eos"])


def test_bos_is_there_once(tmp_path: Path) -> None:
    tokenizer = chat_tokenizer(tmp_path, TURNS)
    ids = choose_template(tokenizer, DataConfig()).prompt("1+1=?")
    assert ids[0] == tokenizer.bos_id and ids.count(tokenizer.bos_id) == 1


def test_what_cannot_be_templated_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data.template='chat': the tokenizer in .* has no chat template; use auto"):
        choose_template(Tokenizer(TINY), DataConfig(template="chat"))
    refusing = chat_tokenizer(tmp_path, "{{ raise_exception('system turn first') }}")
    with pytest.raises(
        UsageError, match=r"the chat template cannot render the conversation \(.*system turn first"
    ) as caught:
        choose_template(refusing, DataConfig())
    assert "\n" not in str(caught.value)
    silent = tmp_path / "silent"
    silent.mkdir()
    with pytest.raises(
        UsageError, match=r"the chat template does not render the model's turn; use data.template=plain"
    ):
        choose_template(chat_tokenizer(silent, "{{ messages[0]['content'] }}"), DataConfig())
    assert json.loads((silent / "tokenizer_config.json").read_text())
