"""What a model learns and is asked in without a chat template, and with one of two kinds in the layouts of traces."""

import json
from pathlib import Path

import pytest

from podium.core.config_sections import DataConfig
from podium.core.errors import UsageError
from podium.core.records import Question, ReasoningTrace, TraceStep
from tests.trainer.data.chats import CALL, TOOL, conversation, shown, with_template
from tests.trainer.encoding import completion_ids, prompt_ids
from trainer.data.layouts import completion_text, prompt_text
from trainer.data.sequences import BadExample
from trainer.data.template import ChatTemplate, PlainTemplate, choose_template
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
ASKED = Question(id="q", prompt=TRACE.prompt)
CHAT = (("system", "Be brief."), ("user", "2+2?"), ("assistant", " 4\n"), ("user", "And 3+3?"), ("assistant", "6"))


def test_layout_of_prompt_and_completion() -> None:
    assert prompt_text("1+2=?") == "1+2=?\n"
    assert completion_text(TRACE) == "1+2=3\n3+1=4\n<answer>4</answer>"
    bare = ReasoningTrace(prompt="p", final_answer="4")
    assert completion_text(bare) == completion_text(bare, "reasoning") == "<answer>4</answer>"
    reasoned = "<reasoning>\n1+2=3\n3+1=4\n</reasoning>\n<answer>4</answer>"
    assert completion_text(TRACE, "reasoning") == reasoned
    assert (completion_text(TRACE, "text"), completion_text(bare, "text")) == ("1+2=3\n3+1=4\n4", "4")


def test_auto_is_plain_without_a_chat_template_and_chat_with_one(tmp_path: Path) -> None:
    tiny, chat = Tokenizer(TINY), with_template(tmp_path / "t", TURNS)
    assert isinstance(choose_template(tiny, DataConfig()), PlainTemplate)
    assert isinstance(choose_template(chat, DataConfig()), ChatTemplate)
    assert isinstance(choose_template(chat, DataConfig(template="plain")), PlainTemplate)
    with pytest.raises(UsageError, match=r"data.template_options=\{'a': 1\} has no effect on the plain template"):
        choose_template(tiny, DataConfig(template_options={"a": 1}))


def test_the_plain_form_of_a_trace() -> None:
    tiny = Tokenizer(TINY)
    plain = choose_template(tiny, DataConfig())
    prompt, completion = prompt_ids(tiny, "1+2+1=?\n"), completion_ids(tiny, completion_text(TRACE))
    assert plain.prompts([ASKED]) == [prompt]
    (sequence,) = plain.sequences([TRACE])
    assert sequence.ids.tolist() == [*prompt, *completion]
    assert sequence.learned.tolist() == [False] * len(prompt) + [True] * len(completion)


def test_the_plain_form_of_roles() -> None:
    tiny = Tokenizer(TINY)
    plain = choose_template(tiny, DataConfig())
    (sequence,) = plain.sequences([conversation(*CHAT)])
    assert shown(tiny, sequence) == "<bos>Be brief.\n\n2+2?\n⟦ 4\n<eos>⟧And 3+3?\n⟦6<eos>⟧"
    (last,) = choose_template(tiny, DataConfig(loss_on="last")).sequences([conversation(*CHAT)])
    assert shown(tiny, last) == "<bos>Be brief.\n\n2+2?\n 4\n<eos>And 3+3?\n⟦6<eos>⟧"
    asked = plain.prompts([Question(id="q", messages=conversation(*CHAT).messages[:4])])[0]
    assert asked == sequence.ids[: len(asked)].tolist() and sequence.learned[len(asked)]
    # A reply has the same ids after any prompt, and one turn has the form of a trace's prompt.
    (one,) = plain.sequences([conversation(("user", "2+2?"), ("assistant", "6"))])
    assert one.ids.tolist() == [*prompt_ids(tiny, "2+2?\n"), *completion_ids(tiny, "6")]


def test_data_system_in_the_plain_form() -> None:
    tiny = Tokenizer(TINY)
    plain = choose_template(tiny, DataConfig(system="Add."))
    assert shown(tiny, plain.sequences([TRACE])[0]).startswith("<bos>Add.\n\n1+2+1=?\n⟦1+2=3")
    assert shown(tiny, plain.sequences([conversation(*CHAT)])[0]).startswith("<bos>Add.\n\nBe brief.\n\n2+2?\n⟦")
    assert plain.prompts([ASKED]) == [prompt_ids(tiny, "Add.\n\n1+2+1=?\n")]


@pytest.mark.parametrize(
    "example",
    [
        conversation(("user", "2+2?"), ("assistant", CALL)),
        conversation(("user", "2+2?"), ("tool", "4"), ("assistant", "4")),
        conversation(("user", "2+2?"), ("assistant", "4"), tools=(TOOL,)),
    ],
)
def test_the_plain_form_has_no_tools(example: object) -> None:
    plain = choose_template(Tokenizer(TINY), DataConfig())
    with pytest.raises(BadExample, match="the plain template has no form for tools") as caught:
        plain.sequences([TRACE, example])
    assert caught.value.index == 1
    with pytest.raises(BadExample, match="a conversation has no steps"):
        choose_template(Tokenizer(TINY), DataConfig(layout="reasoning")).sequences([conversation(*CHAT)])
    with pytest.raises(UsageError, match="item 'q': the plain template has no form for tools"):
        plain.prompts([Question(id="q", prompt="2+2?", tools=(TOOL,))])


@pytest.mark.parametrize(
    ("template", "prompt", "end"),
    [
        (TURNS, "{bos}<turn>user\n1+2+1=?<end>\n<turn>model\n", "<end>{eos}"),
        (EOS_TURNS, "user: 1+2+1=?{eos}\nassistant: ", "{eos}"),
    ],
)
def test_a_chat_completion_goes_on_where_the_prompt_ends(tmp_path: Path, template: str, prompt: str, end: str) -> None:
    tokenizer = with_template(tmp_path / "t", template)
    special = {"bos": tokenizer._hf.bos_token, "eos": tokenizer.eos_token}
    chat = choose_template(tokenizer, DataConfig(template="chat", layout="reasoning"))
    (sequence,) = chat.sequences([TRACE])
    wanted = f"{prompt}⟦{completion_text(TRACE, 'reasoning')}{end}⟧".format(**special)
    assert shown(tokenizer, sequence) == wanted
    assert chat.prompts([ASKED])[0] == sequence.ids[~sequence.learned].tolist()
    assert sequence.ids.tolist().count(tokenizer.eos_id) == (1 if template == TURNS else 2)
    # Together they are what the template makes of the whole conversation.
    turns = [{"role": "user", "content": TRACE.prompt}, {"role": "assistant", "content": completion_text(TRACE)}]
    whole = tokenizer.chat_text(turns, asks=False)
    (steps,) = choose_template(tokenizer, DataConfig()).sequences([TRACE])
    learned = tokenizer._hf.decode(steps.ids).replace("model\n", "assistant\n")
    assert learned.removesuffix(special["eos"]) == whole.rstrip().removesuffix(special["eos"])


def test_what_cannot_be_templated_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"data.template='chat': the tokenizer in .* has no chat template; use auto"):
        choose_template(Tokenizer(TINY), DataConfig(template="chat"))
    refusing = with_template(tmp_path / "refusing", "{{ raise_exception('system turn first') }}")
    with pytest.raises(
        UsageError, match=r"the chat template cannot render the conversation \(.*system turn first"
    ) as caught:
        choose_template(refusing, DataConfig())
    assert "\n" not in str(caught.value)
    with pytest.raises(
        UsageError, match=r"the chat template does not render the model's turn; use data.template=plain"
    ):
        choose_template(with_template(tmp_path / "silent", "{{ messages[0]['content'] }}"), DataConfig())
    assert json.loads((tmp_path / "silent" / "tokenizer_config.json").read_text())
