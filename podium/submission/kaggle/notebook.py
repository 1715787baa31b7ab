"""The notebook that runs a lock on Kaggle: every step is one call. A pure function of lock and export.

The form is nbformat 4.5 (https://nbformat.readthedocs.io), and equal inputs give equal bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from podium.core.duration import format_duration
from podium.core.files import to_json, write_text
from podium.core.paths import shipped, submission_dir, submission_placed
from podium.core.run_files import MANIFEST
from podium.submission.kaggle.bootstrap import FILE
from podium.submission.kaggle.exported import Export, slug
from podium.submission.kaggle.metadata import dataset_slug
from podium.submission.lock import Lock, read_lock
from podium.submission.manifest import read_manifest
from podium.submission.verify import SHORT

EXAMPLE = "rehearsal_v1"
FILE_SHIPPED = "notebooks/kaggle_submission.ipynb"  # `python -m podium.submission.kaggle.notebook` writes it


@dataclass(frozen=True)
class _Section:
    title: str
    text: str
    code: str


def notebook(lock: Lock, export: Export) -> str:
    """The text of the .ipynb file."""
    cells: list[dict[str, Any]] = []
    for number, section in enumerate(_sections(lock, export)):
        heading = "#" if number == 0 else "##"
        cells.append(_cell("markdown", f"{heading} {section.title}\n\n{section.text}", f"text-{number}"))
        cells.append(_cell("code", section.code, f"code-{number}"))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return to_json({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def _sections(lock: Lock, export: Export) -> Iterator[_Section]:
    projected = "not measured" if lock.submission_s is None else format_duration(lock.submission_s)
    machine = export.machine_shape or "no accelerator"
    yield _Section(
        f"Podium: submission {export.name}",
        f"Lock `{lock.lock_id[:SHORT]}`, attempt `{export.attempt_id[:SHORT]}`, made for {machine}. Run all cells "
        "once, from the first to the last. `TEST_MODE = True` answers 5 items in a scratch folder, claims nothing, and "
        "prints how long the whole run would take.\n\nCompilation, training and answers together: "
        f"{projected}, projected from trial {lock.trial} on the machine of the sweep. The rest was not measured; the "
        "smoke run below projects the time on this machine.",
        "TEST_MODE = False",
    )
    yield _Section(
        "Code and packages",
        "Finds the attached dataset with code and data, and installs what is pinned. Time: not measured.",
        _start(export),
    )
    yield _Section("Configuration", "From the lock. Seconds.", "run.show_config()")
    yield _Section(
        "Secrets",
        "`HF_TOKEN` from the notebook's secrets, if the model has to be downloaded. Never printed. Seconds.",
        "run.read_secrets()",
    )
    yield _Section(
        "Inputs",
        "Finds model, tokenizer and test file below the inputs, by the hashes of the lock. Hashing takes minutes for "
        "large models.",
        "run.locate_inputs()",
    )
    yield _Section(
        "Machine",
        "Computes on every device, and refuses another accelerator, image or number of devices. Seconds.",
        "run.check_machine()",
    )
    yield _Section("Trainset", "Compares the trainset with the lock. Seconds.", "run.build_trainset()")
    yield _Section(
        "Smoke run",
        "Two steps and some answers in a scratch folder, with every check of a submission, and a projection for this "
        "machine. Compiles everything that the run needs.",
        "run.smoke(TEST_MODE)",
    )
    yield _Section(
        "Training",
        "Claims the run. At most until the deadline of the budget; see the projection above.",
        "run.train()",
    )
    yield _Section("Predictions", "Answers every item with the weights of the last step.", "run.predict()")
    yield _Section("Score and summary", "Computed from the predictions file. Seconds to minutes.", "run.score()")
    yield _Section("Evidence", "One zip in the output, which `podium kaggle collect` takes. Seconds.", "run.pack();")


def _start(export: Export) -> str:
    dataset = f"{export.owner}/{export.code}"
    return f'''import os
import sys
from pathlib import Path

inputs = Path(os.environ.get("PODIUM_KAGGLE_INPUT", "/kaggle/input"))
found = [path for level in range(5) for path in inputs.glob("*/" * level + "{FILE}")]
if not found:
    sys.exit(f"podium: the dataset {dataset} is not below {{inputs}}; attach it (Add Input) and run again")
sys.path.insert(0, str(found[0].parent))
import podium_bootstrap

run = podium_bootstrap.start(found[0].parent)'''


def _cell(kind: str, source: str, name: str) -> dict[str, Any]:
    of_code: dict[str, Any] = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source, **of_code}


def example() -> str:
    """The notebook of the committed run, as `notebooks/kaggle_submission.ipynb` shows it."""
    with submission_placed(EXAMPLE, shipped() / "submission_runs" / EXAMPLE):
        lock, manifest = read_lock(EXAMPLE), read_manifest(submission_dir(EXAMPLE) / MANIFEST)
    export = Export(
        attempt_id=str(manifest.claim_id),
        name=EXAMPLE,
        lock_id=lock.lock_id,
        exported_at=manifest.claimed_at,
        owner="owner",
        profile=lock.budget.profile,
        internet=True,
        offline=False,
        python="3.11",
        timeout_s=int(lock.budget.time_budget_s),
        slug=slug(f"podium {EXAMPLE}"),
        code=dataset_slug(EXAMPLE, "code"),
        notebook_sha256="follows from the notebook",
    )
    return notebook(lock, export)


if __name__ == "__main__":
    write_text(shipped() / FILE_SHIPPED, example())
