import sys

import pytest

from podium.submission.output_log import recorded


def test_both_streams_are_kept_and_still_shown(tmp_path, capsys):
    with recorded(tmp_path / "log.txt"):
        print("step 1")
        print("careful", file=sys.stderr)
        print("no newline", end="")
    print("after")
    assert (tmp_path / "log.txt").read_text() == "step 1\ncareful\nno newline\n"
    assert capsys.readouterr() == ("step 1\nno newline\nafter\n", "careful\n")


def test_a_secret_is_taken_out_even_where_it_comes_in_two_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789")
    with recorded(tmp_path / "log.txt"):
        sys.stdout.write("logging in with hf_01234")
        sys.stdout.write("56789 now\n")
    assert (tmp_path / "log.txt").read_text() == "logging in with [HF_TOKEN] now\n"
    assert capsys.readouterr().out == "logging in with [HF_TOKEN] now\n"


def test_the_traceback_of_a_crash_goes_to_the_log_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789")
    with pytest.raises(ValueError), recorded(tmp_path / "log.txt"):
        raise ValueError("hf_0123456789 was refused")
    assert (tmp_path / "log.txt").read_text().endswith("ValueError: [HF_TOKEN] was refused\n")
    assert capsys.readouterr() == ("", "")


def test_a_library_that_keeps_the_stream_can_go_on_writing(tmp_path, capsys):
    with recorded(tmp_path / "log.txt"):
        kept = sys.stdout
        print("in")
    kept.write("later\n")
    assert (tmp_path / "log.txt").read_text() == "in\n"
    assert capsys.readouterr().out == "in\nlater\n"


def test_home_folders_are_taken_out(tmp_path, capsys):
    with recorded(tmp_path / "log.txt"):
        print("files in /ho" + "me/ann/models")
    assert (tmp_path / "log.txt").read_text() == "files in ~/models\n" == capsys.readouterr().out
