from podium.core import redaction


def test_secrets_are_taken_out(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghij")
    monkeypatch.setenv("KAGGLE_KEY", "0123456789abcdef")
    text = redaction.redact("token hf_abcdefghij key 0123456789abcdef")
    assert text == "token [HF_TOKEN] key [KAGGLE_KEY]"
    assert redaction.secrets_in("key 0123456789abcdef") == ["KAGGLE_KEY"]
    assert redaction.secrets_in(text) == []


def test_the_password_of_a_url_is_taken_out():
    text = "cannot reach postgresql+psycopg://ann:p%40ss-word@db:5432/optuna, nor http://db:5000/x@y"
    assert redaction.redact(text) == "cannot reach postgresql+psycopg://ann:***@db:5432/optuna, nor http://db:5000/x@y"


def test_the_password_in_the_query_of_a_url_is_taken_out():
    text = "cannot reach 'postgresql://ann@db/optuna?password=hunter22&sslmode=require'"
    assert redaction.redact(text) == "cannot reach 'postgresql://ann@db/optuna?password=***&sslmode=require'"


def test_an_error_is_one_line_without_secrets_and_never_empty(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghij")
    assert redaction.one_line(ValueError("first\n  second hf_abcdefghij")) == "first second [HF_TOKEN]"
    assert redaction.one_line(TimeoutError()) == "TimeoutError"
    assert redaction.one_line(ValueError("abcdef"), limit=3) == "abc"
    assert redaction.named_line(OSError("no\nroom")) == "OSError: no room"
