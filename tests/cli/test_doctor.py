import json
import re

from tests.console import ROOT


def test_the_command(podium, store, monkeypatch):  # noqa: ARG001 (the store exists)
    done = podium("doctor")
    assert done.code == 0, done.out
    assert done.out.splitlines()[0].startswith("ok      python          3.")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    done = podium("doctor", "--json")
    found = json.loads(done.out)
    assert (done.code, found["broken"]) == (1, 1)
    assert {"check", "status", "line", "fix"} == set(found["findings"][0])


def test_the_document_has_every_check(podium, store):  # noqa: ARG001 (the store exists)
    rows = re.findall(r"^\| ((?:`[a-z ]+`(?:, )?)+) \|", (ROOT / "docs/doctor.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z ]+)`", row)} - {"ok", "note", "broken"}
    assert named == {finding["check"] for finding in json.loads(podium("doctor", "--json").out)["findings"]}
