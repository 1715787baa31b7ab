import shutil
import subprocess

import pytest

from podium.core.errors import PodiumError, UsageError
from podium.submission.packaging.opened import verify_package
from podium.submission.packaging.package import package
from podium.submission.packaging.signature import sign, signer

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs OpenSSH")


@pytest.fixture
def key(tmp_path_factory):
    """A key without a passphrase, and beside it the file of allowed signers that names it."""
    path = tmp_path_factory.mktemp("keys") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ann", "-f", str(path)], check=True)
    path.with_name("allowed").write_text(f"ann@example.org {path.with_suffix('.pub').read_text()}")
    return path


@needs_ssh_keygen
def test_a_signed_package_says_who_signed_it(done_home, key):
    signed = package("done", key).path
    report = verify_package(signed, allowed_signers=key.with_name("allowed"))
    assert report.problems == []
    assert report.checks[-1].line == "signed by ann@example.org"
    assert package("done", key).path.read_bytes() == signed.read_bytes()  # ed25519 signatures are deterministic
    assert verify_package(signed).checks[-1].line == "it is signed; --allowed-signers FILE checks by whom"
    assert done_home.exists()


@needs_ssh_keygen
def test_a_signature_by_someone_else(done_home, key, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(other)], check=True)
    report = verify_package(package("done", other).path, allowed_signers=key.with_name("allowed"))
    assert report.problems == ["signed by none of the keys in allowed"]
    assert done_home.exists()


@needs_ssh_keygen
def test_a_signature_of_something_else(key):
    signature = sign(b"this", key)
    assert signer(b"this", signature, key.with_name("allowed")) == "ann@example.org"
    with pytest.raises(PodiumError, match="not a signature of this manifest"):
        signer(b"that", signature, key.with_name("allowed"))


def test_a_package_without_the_signature_that_was_asked_for(packaged, tmp_path):
    (tmp_path / "allowed").write_text("")
    assert verify_package(packaged, allowed_signers=tmp_path / "allowed").problems == ["it is not signed"]


def test_a_key_that_cannot_be_used(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match=r"^--sign .*gone: there is no such file; `ssh-keygen -t ed25519 -f "):
        sign(b"x", tmp_path / "gone")
    (tmp_path / "key").write_text("no key")
    if shutil.which("ssh-keygen"):
        with pytest.raises(UsageError, match=r"^--sign .*key: ssh-keygen refused it \("):
            sign(b"x", tmp_path / "key")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"^ssh-keygen is not on the PATH; install OpenSSH's client$"):
        sign(b"x", tmp_path / "key")
