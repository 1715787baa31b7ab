"""The chat template of an exported model, which writes data.system by itself.

So a user of transformers asks an exported model as Podium did, without knowing its instruction.
"""

import json
import re

from podium.core.config_sections import DataConfig
from trainer.data.chat_template import ChatTemplate
from trainer.data.template import choose_template
from trainer.data.tokenizer import Tokenizer

# The first turn becomes a system turn, or is one that begins with the instruction.
BEFORE = """\
{%- if messages[0]['role'] == 'system' %}\
{%- set messages = [{'role': 'system', 'content': SYSTEM + messages[0]['content']}] + messages[1:] %}\
{%- else %}{%- set messages = [{'role': 'system', 'content': ALONE}] + messages %}{%- endif %}"""
# For a template that takes no system turn: the instruction, and a system turn, are put before the user's text.
FOLDED = """\
{%- if messages[0]['role'] == 'system' %}\
{%- set messages = [{'role': 'user', 'content': messages[0]['content'] + '\\n\\n' + messages[1]['content']}] \
+ messages[2:] %}{%- endif %}\
{%- set messages = [{'role': 'user', 'content': SYSTEM + messages[0]['content']}] + messages[1:] %}"""
PLAIN = """\
BOS{%- for message in messages %}{%- if message['role'] == 'assistant' %}{{- message['content'] + eos_token }}\
{%- elif message['role'] == 'system' %}{{- message['content'] + '\\n\\n' }}\
{%- else %}{{- message['content'] + '\\n' }}{%- endif %}{%- endfor %}"""


def exported_template(tokenizer: Tokenizer, data: DataConfig) -> str | None:
    """A chat template in Jinja that begins every conversation as training did; None without data.system."""
    if data.system is None:
        return None
    template = choose_template(tokenizer, data)
    if isinstance(template, ChatTemplate):
        text, before = tokenizer.chat_template, FOLDED if template.folds else BEFORE
    else:
        text, before = PLAIN.replace("BOS", "" if tokenizer.bos_id is None else "{{- bos_token }}"), BEFORE
    # A string of JSON is one of Jinja, except that Jinja does not join surrogate pairs.
    strings = {
        "SYSTEM": json.dumps(f"{data.system}\n\n", ensure_ascii=False),
        "ALONE": json.dumps(data.system, ensure_ascii=False),
    }
    before = re.sub("|".join(strings), lambda name: strings[name[0]], before)
    # Jinja drops a line break after a block, but one that begins the template is part of the text.
    return before + ("\n" if text.startswith("\n") else "") + text
