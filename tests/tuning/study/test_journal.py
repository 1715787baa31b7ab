"""Each line of a journal vouches for itself, and Optuna alone still reads it."""

import optuna
from optuna.storages.journal import JournalFileBackend

from tuning.study.journal import open_journal, parse_line


def test_every_flipped_bit_of_a_line_is_found_or_changes_only_its_hash(tmp_path):
    journal = tmp_path / "journal.log"
    study = optuna.create_study(study_name="x", storage=open_journal(journal))
    study.set_user_attr("score", 0.125)
    line = journal.read_bytes().splitlines(keepends=True)[-1]
    operation = parse_line(line)
    assert operation["user_attr"] == {"score": 0.125} and "sha256" not in operation
    for place in range(len(line) - 1):
        for bit in range(8):
            damaged = bytearray(line)
            damaged[place] ^= 1 << bit
            try:
                found = parse_line(bytes(damaged))
            except ValueError:
                continue
            assert {key: found.get(key) for key in operation} == operation


def test_optuna_reads_it_too(tmp_path):
    study = optuna.create_study(study_name="x", storage=open_journal(tmp_path / "journal.log"))
    study.optimize(lambda trial: trial.suggest_float("a", 0, 1), n_trials=3)
    theirs = optuna.storages.JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    assert optuna.load_study(study_name="x", storage=theirs).trials == study.trials
