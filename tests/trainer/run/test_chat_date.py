"""A chat template that reads the clock reads the day on which the run was made."""

from collections.abc import Callable
from datetime import date

import numpy as np

from podium.core.config import RunConfig
from podium.core.records import Question, ReasoningTrace
from trainer.data.rows import encode
from trainer.data.template import choose_template
from trainer.model.base_model import load_base
from trainer.run.chat_date import with_date, with_date_of

SetToday = Callable[[str], None]


def test_only_a_template_that_reads_the_clock_needs_a_date(clock_tokenizer: str, set_today: SetToday) -> None:
    set_today("2026-01-02")
    plain = RunConfig()
    assert with_date(plain) == plain
    clock = plain.with_overrides({"model.tokenizer": clock_tokenizer})
    assert with_date(clock).data.date == date(2026, 1, 2)
    assert with_date(clock, date(2026, 3, 4)).data.date == date(2026, 3, 4)
    unused = clock.with_overrides({"data.template": "plain"})
    assert with_date(unused) == unused
    given = clock.with_overrides({"data.date": "2024-07-26"})
    assert with_date(given) == given


def test_an_earlier_date_is_kept_and_an_earlier_run_without_one_stays_so(clock_tokenizer: str) -> None:
    config = RunConfig().with_overrides({"model.tokenizer": clock_tokenizer})
    dated = config.with_overrides({"data.date": "2024-07-26"})
    assert with_date_of(config, dated) == dated
    assert with_date_of(config, config) == config
    assert with_date_of(config.with_overrides({"data.date": "2026-01-02"}), dated).data.date == date(2026, 1, 2)


def test_the_tokens_follow_from_the_config_alone(clock_tokenizer: str, set_today: SetToday) -> None:
    config = RunConfig().with_overrides({"model.tokenizer": clock_tokenizer})
    traces = [ReasoningTrace(prompt="1+1=?", final_answer="2")]

    def made(config: RunConfig) -> tuple[list[int], np.ndarray]:
        template = choose_template(load_base(config).tokenizer, config.data)
        question = Question(id="q", prompt="1+1=?")
        return template.prompts([question])[0], encode("t", "", traces, template, config.data).ids

    set_today("2026-01-02")
    first = with_date(config)
    prompt, rows = made(first)
    assert "020126" in load_base(config).tokenizer.decode(prompt)
    set_today("2026-01-03")
    again, same_rows = made(first)
    assert again == prompt and np.array_equal(same_rows, rows)
    assert made(with_date(config))[0] != prompt
