"""Conversations from a trainset to scored answers, and an example token by token."""

import json
from pathlib import Path

import pytest

from podium.core.files import read_jsonl, write_jsonl
from podium.core.records import Conversation
from tests.console import ROOT, commands
from trainer.data.trainsets import write_trainset

CHATS = ROOT / "tests/fixtures/chat"
PAGE = ROOT / "docs/conversations.md"
CAPITALS = {"France": "Paris", "Italy": "Rome", "Peru": "Lima", "Cuba": "Havana"}


def turns(*countries: str) -> list[dict[str, str]]:
    said = []
    for country in countries:
        said += [{"role": "user", "content": f"{country}?"}, {"role": "assistant", "content": CAPITALS[country]}]
    return said


@pytest.fixture
def capitals(home: Path) -> Path:
    """Two conversations of two questions each, and an evalset that asks the second question of each."""
    pairs = [("France", "Italy"), ("Peru", "Cuba")]
    examples = [Conversation.model_validate({"messages": turns(*pair)}) for pair in pairs]
    folder = home / "trainsets/capitals"
    write_trainset(folder, examples, name="capitals", recipe="test", recipe_version="1", seed=None)
    facts = {"section": "core", "category": "geography", "difficulty": "easy"}
    items = [
        {"id": last, "messages": turns(first, last)[:3], "expected_answer": CAPITALS[last], **facts}
        for first, last in pairs
    ]
    write_jsonl(home / "evalsets/capitals_v1.jsonl", items)
    return folder


@pytest.mark.usefixtures("capitals")
def test_a_model_answers_in_the_conversation_and_ends_its_turn(podium, home):
    """Gemma's end of a turn is not the EOS of its tokenizer, and tiny names no end tokens."""
    settings = {
        **{"model.tokenizer": CHATS / "gemma2", "data.trainset": "capitals", "eval.evalset": "capitals_v1"},
        **{"data.max_seq_len": 48, "data.system": "Answer.", "train.max_steps": 60, "train.learning_rate": 0.01},
        **{"train.batch_size": 2, "train.remat": "none", "train.save_every_steps": 60},
        **{"generate.batch_size": 2, "generate.max_prompt_tokens": 40, "generate.max_new_tokens": 16},
    }
    changes = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    (home / "base.yaml").write_text("model: {source: tiny}\n")
    done = podium("train", "base.yaml", "--out", "run", *changes)
    assert done.code == 0, done.err
    assert "note: the chat template takes no system turn; its text is put before the first user turn\n" in done.out
    done = podium("predict", "--run", "run", "--evalset", "capitals_v1", "--out", "answers.jsonl")
    assert done.code == 0, done.err
    answers = {line["id"]: line for _, line in read_jsonl(home / "answers.jsonl")}
    assert {id_: answer["text"] for id_, answer in answers.items()} == {"Italy": "Rome", "Cuba": "Havana"}
    assert {answer["finish_reason"] for answer in answers.values()} == {"eos"}
    done = podium("export", "--run", "run", "--out", "exported")
    assert done.code == 0, done.err
    assert '"Answer.\\n\\n"' in (home / "exported/chat_template.jinja").read_text()
    assert json.loads((home / "exported/generation_config.json").read_text())["eos_token_id"] == [2, 4]
    overlap = podium("evalset", "check", "capitals_v1", "--trainset", "capitals")
    assert overlap.code == 1
    assert "overlap      2 with trainset capitals\n" in overlap.out


def test_the_tokens_on_the_page(podium, home):
    said = [("system", "Answer in one word."), ("user", "What is the capital of France?"), ("assistant", "Paris")]
    said += [("user", "And of Italy?"), ("assistant", "Rome")]
    line = {"messages": [{"role": role, "content": content} for role, content in said]}
    assert f"```json\n{json.dumps(line)}\n```" in PAGE.read_text()
    example = Conversation.model_validate(line)
    write_trainset(home / "trainsets/capitals", [example], name="capitals", recipe="t", recipe_version="1", seed=None)
    shown = commands(PAGE)
    assert len(shown) == 2
    for command in shown:
        arguments = command.line.replace("=tests/", f"={ROOT}/tests/").split()[1:]
        done = podium(*arguments)
        assert done.code == 0, done.err
        assert done.out.splitlines() == list(command.output)


@pytest.mark.usefixtures("capitals")
def test_tokens_that_cannot_be_shown(podium):
    config = ("--config", "search_spaces/base/sft_tiny.yaml")
    beyond = podium("trainset", "tokens", "capitals", "--line", 3, *config)
    assert (beyond.code, beyond.out) == (2, "")
    assert beyond.err == "error: trainset 'capitals' has fewer than 3 examples; choose an earlier line\n"
    steps = podium("trainset", "tokens", "capitals", *config, "--set", "data.layout=steps")
    assert steps.code == 2
    assert "trainset 'capitals', line 1: data.layout='steps': a conversation has no steps" in steps.err
    cut = podium("trainset", "tokens", "capitals", *config, "--set", "data.max_seq_len=8")
    assert cut.code == 0
    assert "; cut after 9, by data.max_seq_len=8\n" in cut.out
    assert len(cut.out.splitlines()) == 10
