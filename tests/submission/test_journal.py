import json

import pytest

from podium.core.clock import FakeClock, Moment, gap_between
from podium.core.errors import UsageError
from podium.core.files import write_text
from podium.submission.attempt import MARK_S, Attempt, open_attempt
from podium.submission.claim import claim_run, held
from podium.submission.journal import Journal, Phase


def begin(folder, clock):
    return Attempt.begin(folder, "abc", clock, clock.moment(), None)


def interrupted(folder):
    """An attempt that was in training for 100 s when its process ended, and its clock."""
    clock = FakeClock(start_s=1000)
    attempt = begin(folder, clock)
    clock.advance(100)
    attempt.enter(Phase.TRAINING, step=3)
    return clock


def resume(folder, clock):
    attempt, notes = Attempt.resume(folder, clock, clock.moment())
    return attempt, " ".join(notes)


def test_every_phase_is_a_line_with_its_time(home):
    interrupted(home)
    lines = [json.loads(line) for line in (home / "attempt.jsonl").read_text().splitlines()]
    assert [(line["phase"], line["session"], line["elapsed_s"]) for line in lines] == [
        ("claimed", 1, 0.0),
        ("training", 1, 100.0),
    ]
    assert lines[1]["facts"] == {"step": 3}
    assert lines[1]["moment"] == {"wall_s": 1100.0, "monotonic_s": 1100.0, "boot_id": "boot-1"}


def test_the_time_of_an_interruption_counts(home):
    clock = interrupted(home)
    clock.advance(50)
    attempt, said = resume(home, clock)
    assert said == "resumed in phase training: interruption 1, 50.0 s long"
    assert (attempt.elapsed_s(), attempt.interruptions, attempt.fact("step")) == (150.0, 1, 3)
    attempt, _ = resume(home, clock)
    assert attempt.interruptions == 2


def test_a_clock_that_was_set_back_takes_no_time_away(home):
    clock = interrupted(home)
    clock.advance(50)
    clock.wall_ahead_s = -3600
    attempt, said = resume(home, clock)
    assert attempt.elapsed_s() == 150.0
    assert said.endswith("the clock was set back by 59m 10s, the time since then is known from another clock")
    assert Journal(home).newest.facts["clock_set_back_s"] == 3550.0


def test_over_a_restart_of_the_machine_the_wall_clock_counts(home):
    interrupted(home)
    restarted = FakeClock(start_s=5, boot_id="boot-2")
    restarted.wall_ahead_s = 1155  # it is 1160 s, 60 s after the last line
    attempt, said = resume(home, restarted)
    assert attempt.elapsed_s() == 160.0
    assert said.endswith("1m 00s long; the machine was started again")


def test_a_clock_that_was_set_back_over_a_restart_counts_as_no_time(home):
    interrupted(home)
    attempt, said = resume(home, FakeClock(start_s=5, boot_id="boot-2"))
    assert attempt.elapsed_s() == 100.0
    assert said.endswith("the machine was started again; the clock was set back by 18m 15s, its time counts as none")


@pytest.mark.parametrize("boot_id", [None, "boot-1"])
def test_a_gap_is_never_negative(boot_id):
    earlier, later = Moment(100, 100, boot_id), Moment(90, 90, boot_id)
    assert gap_between(earlier, later).seconds == 0.0


def test_a_long_session_leaves_marks(home):
    clock = FakeClock()
    attempt = begin(home, clock)
    attempt.mark()
    clock.advance(MARK_S)
    attempt.mark()
    attempt.mark()
    assert [entry.elapsed_s for entry in Journal(home).entries] == [0.0, MARK_S]


def test_a_torn_last_line_is_kept_and_reported(home):
    clock = interrupted(home)
    torn = (home / "attempt.jsonl").read_text() + '{"phase": "gener'
    write_text(home / "attempt.jsonl", torn)
    attempt, said = resume(home, clock)
    assert said.startswith(
        "attempt.jsonl:3: incomplete, removed and kept in attempt.jsonl.damaged-1; going on from phase training resumed"
    )
    assert (home / "attempt.jsonl.damaged-1").read_text() == torn
    assert [entry.phase for entry in Journal(home).entries] == [Phase.CLAIMED, Phase.TRAINING, Phase.TRAINING]
    assert attempt.phase is Phase.TRAINING


def test_a_damaged_line_in_the_middle_is_refused(home):
    interrupted(home)
    lines = (home / "attempt.jsonl").read_text().splitlines()
    write_text(home / "attempt.jsonl", "\n".join([lines[0][:20], lines[1]]) + "\n")
    with pytest.raises(UsageError, match=r"attempt\.jsonl:1: not a line of a journal; restore the file"):
        open_attempt(home)


def test_an_attempt_that_was_killed_before_its_first_line_continues(home):
    clock = FakeClock(start_s=50)
    claim_run(home, "abc", clock.moment(), elapsed_s=20)
    clock.advance(10)
    attempt, _ = resume(home, clock)
    assert attempt.elapsed_s() == 30.0
    assert [entry.phase for entry in Journal(home).entries] == [Phase.CLAIMED, Phase.CLAIMED]


def test_what_cannot_be_resumed(home):
    with pytest.raises(UsageError, match=r"was not claimed: nothing to resume; `podium submit .*` runs it"):
        open_attempt(home)
    clock = interrupted(home)
    with pytest.raises(UsageError, match=r"belongs to another lock \(abc, here is def\); restore lock\.json or claim"):
        open_attempt(home, "def")
    attempt, _ = resume(home, clock)
    attempt.enter(Phase.FAILED, reason="diverged at step 3")
    with pytest.raises(UsageError, match=r" failed at .*: diverged at step 3; there is nothing to resume"):
        open_attempt(home, "abc")


def test_the_claim_of_an_older_version(home):
    write_text(home / "claim.json", '{"lock_id": "abc", "pid": 1, "host": "here", "claimed_at": "2026-01-01"}')
    with pytest.raises(UsageError, match="by an older version of Podium, whose runs cannot be resumed"):
        open_attempt(home, "abc")


def test_only_one_process_works_on_an_attempt(home):
    interrupted(home)
    refused = pytest.raises(UsageError, match="is being run by another process; wait until it has ended")
    with held(home), refused, held(home):
        pass
    with held(home):
        pass
