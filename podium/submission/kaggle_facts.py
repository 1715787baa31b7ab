"""The keys of run_manifest.json that only Kaggle knows."""

from podium.core.settings import variable

# The notebook that runs on Kaggle sets these variables; nothing else that it runs in names them.
VARIABLES = {
    "kaggle_notebook_url": "PODIUM_KAGGLE_NOTEBOOK_URL",
    "kaggle_notebook_version": "PODIUM_KAGGLE_NOTEBOOK_VERSION",
    "kaggle_run_id": "PODIUM_KAGGLE_RUN_ID",
}


def kaggle_facts() -> dict[str, str]:
    """The facts that the environment has. None of them is guessed."""
    found = {key: variable(name) for key, name in VARIABLES.items()}
    return {key: value for key, value in found.items() if value is not None}
