from podium.core import provenance


def test_every_fact_is_read_and_none_is_null():
    facts = provenance.provenance()
    assert len(facts["code_sha256"]) == 64
    assert facts["libraries"]["jax"]
    assert None not in facts.values()


def test_secrets_are_taken_out(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_abcdefghij")
    monkeypatch.setenv("KAGGLE_KEY", "0123456789abcdef")
    text = provenance.redact("token hf_abcdefghij key 0123456789abcdef")
    assert text == "token [HF_TOKEN] key [KAGGLE_KEY]"
    assert provenance.secrets_in("key 0123456789abcdef") == ["KAGGLE_KEY"]
    assert provenance.secrets_in(text) == []


def test_the_password_of_a_url_is_taken_out():
    text = "cannot reach postgresql+psycopg://ann:p%40ss-word@db:5432/optuna, nor http://db:5000/x@y"
    assert provenance.redact(text) == "cannot reach postgresql+psycopg://ann:***@db:5432/optuna, nor http://db:5000/x@y"
