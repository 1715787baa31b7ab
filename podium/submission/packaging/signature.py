"""Signatures of a package's manifest by `ssh-keygen -Y`, which every machine with OpenSSH has.

The format is that of PROTOCOL.sshsig in OpenSSH; the namespace keeps a signature from counting for anything else.
"""

import subprocess
import tempfile
from pathlib import Path

from podium.core.errors import PodiumError, UsageError
from podium.core.files import read_text
from podium.core.redaction import one_line

NAMESPACE = "podium-package"
TIME_LIMIT_S = 60.0  # an agent may ask its user


def sign(data: bytes, key: Path) -> bytes:
    """The signature of `data` by a private key, or by the agent's key for a public one.

    Raises:
        UsageError: there is no such key, ssh-keygen is missing, or it refused the key.
    """
    if not key.is_file():
        raise UsageError(f"--sign {key}: there is no such file; `ssh-keygen -t ed25519 -f {key}` makes a key")
    with tempfile.TemporaryDirectory(prefix="podium-sign-") as folder:
        file = Path(folder) / "manifest"
        file.write_bytes(data)
        done = _ssh_keygen("sign", "-f", str(key), "-n", NAMESPACE, str(file))
        if done.returncode:
            raise UsageError(f"--sign {key}: ssh-keygen refused it ({one_line(done.stderr, 200)})")
        return file.with_suffix(".sig").read_bytes()


def signer(data: bytes, signature: bytes, allowed_signers: Path) -> str:
    """Who signed `data`, by the name that the file `allowed_signers` gives the key (ssh-keygen(1), ALLOWED SIGNERS).

    Raises:
        UsageError: the file cannot be read, or ssh-keygen is missing.
        PodiumError: the signature is not of this data, or by none of these keys.
    """
    read_text(allowed_signers)
    with tempfile.TemporaryDirectory(prefix="podium-verify-") as folder:
        file = Path(folder) / "manifest.sig"
        file.write_bytes(signature)
        allowed = ("-f", str(allowed_signers), "-s", str(file))
        found = _ssh_keygen("find-principals", *allowed)
        if found.returncode or not (names := found.stdout.split()):
            raise PodiumError(f"signed by none of the keys in {allowed_signers.name}")
        done = _ssh_keygen("verify", *allowed, "-I", names[0], "-n", NAMESPACE, data=data)
        if done.returncode:
            raise PodiumError(f"not a signature of this manifest ({one_line(done.stdout + done.stderr, 200)})")
        return names[0]


def _ssh_keygen(action: str, *arguments: str, data: bytes = b"") -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ("ssh-keygen", "-Y", action, *arguments),
            input=data.decode("utf-8"),
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_S,
        )
    except FileNotFoundError as error:
        raise UsageError("ssh-keygen is not on the PATH; install OpenSSH's client") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"ssh-keygen did not end within {TIME_LIMIT_S:.0f} s; put the key into an agent") from error
