"""The process in which the notebook is executed: `python -m podium.submission.rehearsal.child FOLDER`.

It runs in namespaces of its own where the machine allows them. FOLDER has input/, working/ and notebook.ipynb; what
happened goes to result.json there.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

INPUT, WORKING, SCRATCH = "input", "working", "scratch"
NOTEBOOK, EXECUTED, RESULT = "notebook.ipynb", "executed.ipynb", "result.json"


def main(folder: Path) -> None:
    # Kaggle stops the notebook's process; this one lives on to write down what happened. A handler, since a signal that
    # is ignored would be ignored in the kernel, too.
    signal.signal(signal.SIGTERM, lambda *_: None)
    isolation = [_read_only(folder / INPUT)]
    with tempfile.TemporaryDirectory(prefix="podium-kernel-") as sockets:
        error = _execute(folder, Path(sockets))
    text = json.dumps({"error": error, "isolation": isolation})
    (folder / RESULT).write_text(text, encoding="utf-8")


def _read_only(folder: Path) -> str:
    """Make a folder read-only, and say how."""
    bind = ["mount", "--bind", str(folder), str(folder)], ["mount", "-o", "remount,bind,ro", str(folder)]
    has_mounts = bool(os.environ.get("PODIUM_REHEARSAL_NAMESPACES"))
    if has_mounts and all(subprocess.run(command, capture_output=True).returncode == 0 for command in bind):
        return "inputs: a read-only mount"
    # Files may be hard links to the user's own, whose permissions must stay.
    for path in (folder, *filter(Path.is_dir, folder.rglob("*"))):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return "inputs: NOT a read-only mount, which this machine does not allow; only the folders' permissions"


def _execute(folder: Path, sockets: Path) -> dict[str, Any] | None:
    """Execute the notebook, and return the error that ended it."""
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    notebook = nbformat.read(folder / NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    # Over sockets in place of ports, which a network namespace lacks. Their paths must have at most 107 bytes.
    manager = AsyncKernelManager(transport="ipc", ip=str(sockets / "kernel"))
    client = NotebookClient(notebook, km=manager, timeout=None, resources={"metadata": {"path": str(folder / WORKING)}})
    try:
        client.execute()
    except CellExecutionError as error:
        return {"name": error.ename, "line": error.evalue}
    except DeadKernelError:
        return {"name": "DeadKernelError", "line": "the notebook's process was ended"}
    finally:
        nbformat.write(notebook, folder / EXECUTED)  # type: ignore[no-untyped-call]
    return None


if __name__ == "__main__":
    main(Path(sys.argv[1]))
