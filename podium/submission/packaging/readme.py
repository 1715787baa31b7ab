"""The README of a package: what it is, and how to check it."""

from podium.submission.lock import Lock
from podium.submission.manifest import RunManifest, RunManifestV1
from podium.submission.verify import SHORT


def readme(lock: Lock, manifest: RunManifest | RunManifestV1, root: str) -> str:
    """The text, which follows from the run alone, so that the same run gives the same package."""
    commit = lock.code_commit or "not known, as it ran outside a git checkout"
    evidence_id = manifest.evidence_id if isinstance(manifest, RunManifest) else "none, in this version"
    return f"""# {root}

One run of Podium, with everything that it takes to check it.

| | |
|---|---|
| run | {lock.name} ({manifest.state}), claimed at {manifest.claimed_at} |
| lock id | {lock.lock_id} |
| evidence id | {evidence_id} |
| study, trial | {lock.study}, {lock.trial} |
| code | commit {commit} |

| folder | what is in it |
|---|---|
| `submission_runs/{lock.name}/` | the lock and the evidence: predictions, scores, losses, output, environment |
| `evalsets/`, `trainsets/` | the data that the lock names, with the hashes that it names |
| `code/` | Podium as it ran, with requirements.txt |
| `package_manifest.json` | the hash and the size of every other file |

## Check it

With Podium installed (neither Ray, nor Optuna, nor MLflow is needed, nor a network):

    podium verify {root}.zip --expect {lock.lock_id[:SHORT]}

With the code in this package instead, once its requirements are installed:

    cd {root}/code && python -m podium.cli.main verify ../../{root}.zip

`--expect` compares with a lock id that was published before the run. `--replay N` trains the first N steps again and
compares the losses. `--allowed-signers FILE` checks who signed the manifest, if it is signed.

A package that verifies is consistent with its lock id: config, data and code are those of the lock, and the score
follows from the predictions. It does not show that these predictions came from this training; `--replay` and a
signature by somebody you trust do more for that.
"""
