"""docs/submission.md and submission_runs/README.md name what there is."""

import re

from podium.core.paths import shipped
from podium.core.promotion import Contender, Decision
from podium.core.run_files import (
    CHALLENGE_PREDICTIONS,
    CLAIM,
    JOURNAL,
    MANIFEST,
    PREDICTIONS_META,
    SCORECARD,
    SUBMISSION,
    SUBMISSION_CSV,
)
from podium.submission.evidence import EVIDENCE
from podium.submission.lock import Lock, write_lock
from podium.submission.manifest import RunManifest
from podium.submission.summary import EvalSummary, PredictionsMeta
from tests.submission.small import promotion


def first_cells(text):
    """What stands in back quotes in the first column of the tables."""
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall("`([^`]+)`", row)}


def test_the_readme_names_every_file_of_a_run():
    named = first_cells((shipped() / "submission_runs/README.md").read_text())
    optional = {CHALLENGE_PREDICTIONS, PREDICTIONS_META, SUBMISSION, SUBMISSION_CSV}
    assert named == {*EVIDENCE, *optional, MANIFEST, SCORECARD, JOURNAL, CLAIM, "checkpoints/", "*.partial.jsonl"}


def test_the_docs_name_every_key_of_a_lock(data_home):
    named = first_cells((shipped() / "docs/submission.md").read_text())
    assert set(Lock.model_fields) <= named
    hashed = write_lock(promotion(), "one").hashes
    folded = {re.sub("^(model|tokenizer)/.*", r"\1/...", name) for name in hashed}
    assert folded <= named
    assert data_home.exists()


def test_the_docs_name_every_key_of_the_evidence():
    named = first_cells((shipped() / "docs/evidence.md").read_text())
    assert set(RunManifest.model_fields) <= named
    assert set(EvalSummary.model_fields) <= named
    text = (shipped() / "docs/evidence.md").read_text()
    assert set(PredictionsMeta.model_fields) <= set(re.findall("`([a-z_0-9]+)`", text))


def test_the_docs_show_the_result_in_its_order():
    text = (shipped() / "docs/submission.md").read_text()
    block = text.split("RESULT SUMMARY\n")[1].splitlines()[:7]
    names = ["model_id", "dataset", "eval_set", "primary_score", "final_loss", "n_items", "n_scored"]
    assert [line.split(":")[0] for line in block] == names


def test_the_promotion_page_names_every_key_of_a_decision():
    text = (shipped() / "docs/promotion.md").read_text()
    assert set(Decision.model_fields) <= first_cells(text)
    assert set(Contender.model_fields) <= set(re.findall("`([a-z_]+)`", text))
