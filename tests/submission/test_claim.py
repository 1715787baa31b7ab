import json
import platform
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from podium.core.errors import UsageError
from podium.submission.claim import claim_run, read_claim, refuse_claimed

RACE = """
import sys
from pathlib import Path
from podium.core.errors import UsageError
from podium.submission.claim import claim_run
print("ready", flush=True)
sys.stdin.readline()
try:
    print("won", claim_run(Path(sys.argv[1]), "abc").pid)
except UsageError as error:
    print("lost", error)
"""


def test_a_claim_says_who_when_and_where(home):
    claim = claim_run(home, "abc")
    assert json.loads((home / "claim.json").read_text()) == claim.model_dump(mode="json", exclude_none=True)
    assert (claim.lock_id, claim.host) == ("abc", platform.node())
    assert datetime.now(UTC) - datetime.fromisoformat(claim.claimed_at) < timedelta(minutes=5)


def test_a_second_claim_is_refused_with_the_first_ones_facts(home):
    refuse_claimed(home)
    first = claim_run(home, "abc")
    expected = (
        f"submission {home.name!r} was already run: claimed {first.claimed_at} on {first.host} (pid {first.pid}); "
        f"a lock runs once; if it was interrupted, `podium submit {home.name} --resume` continues it"
    )
    for again in (lambda: claim_run(home, "abc"), lambda: refuse_claimed(home)):
        with pytest.raises(UsageError) as caught:
            again()
        assert str(caught.value) == expected
    assert read_claim(home) == first


def test_of_several_processes_one_wins(home):
    command = [sys.executable, "-c", RACE, str(home / "run")]
    racers = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(3)]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    said = [racer.communicate()[0] for racer in racers]
    winners = [racer.pid for racer, line in zip(racers, said, strict=True) if line == f"won {racer.pid}\n"]
    assert len(winners) == 1
    assert sum(f"(pid {winners[0]})" in line for line in said) == 2
