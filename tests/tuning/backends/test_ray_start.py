"""What Ray refuses before it starts anything."""

import os
import subprocess
import sys


def test_a_folder_that_is_too_long_for_sockets_is_one_line(tmp_path):
    code = "from podium.cli.main import main; main(['sweep', 'search_spaces/tiny.yaml', '--backend', 'ray'])"
    folder = tmp_path / ("x" * 90)
    folder.mkdir()
    environment = os.environ | {"RAY_TMPDIR": str(folder), "PODIUM_HOME": str(tmp_path)}
    subprocess.run(
        [sys.executable, "-m", "podium.cli.main", "trainset", "build", "tiny-reasoning"],
        env=environment,
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: Ray did not start or answer (here): ")
    assert line.endswith("set RAY_TMPDIR to a shorter path, or try --backend inline")
