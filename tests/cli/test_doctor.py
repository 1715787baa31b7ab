import json


def test_the_command(podium, store, monkeypatch):  # noqa: ARG001 (the store exists)
    done = podium("doctor")
    assert done.code == 0, done.out
    assert done.out.splitlines()[0].startswith("ok      python          3.")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    done = podium("doctor", "--json")
    found = json.loads(done.out)
    assert (done.code, found["broken"]) == (1, 1)
    assert {"check", "status", "line", "fix"} == set(found["findings"][0])
