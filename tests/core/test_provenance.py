from podium.core import provenance


def test_every_fact_is_read_and_none_is_null():
    facts = provenance.provenance()
    assert len(facts["code_sha256"]) == 64
    assert facts["libraries"]["jax"]
    assert None not in facts.values()
