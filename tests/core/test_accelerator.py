"""The rules for which JAX a machine gets, on descriptions of machines that are not here."""

import subprocess
import sys

import pytest

from podium.core import accelerator
from podium.core.accelerator import cuda_build, has_tpu, nvidia_gpus


@pytest.mark.parametrize(
    ("gpus", "build"),
    [
        ("7.5, 580.65.06\n7.5, 580.65.06\n", "cuda13"),  # two T4
        ("9.0, 590.12\n", "cuda13"),  # H100
        ("12.0, 581.1\n", "cuda13"),
        ("7.0, 580.65.06\n", "cuda12"),  # V100: CUDA 13 does not know it
        ("6.0, 580.65.06\n", "cuda12"),  # P100
        ("9.0, 550.54.15\n", "cuda12"),  # a driver from before CUDA 13
        ("9.0, 580.1\n7.0, 580.1\n", "cuda12"),  # one old card is enough
        ("", "cuda12"),  # a driver that does not answer
        ("[N/A], 580.1\n", "cuda12"),
    ],
)
def test_cuda_13_needs_a_turing_card_and_its_own_driver(gpus, build):
    assert cuda_build(gpus) == build


def test_a_gpu_is_known_by_what_the_driver_says(tmp_path):
    say = [sys.executable, "-c"]
    none, loaded = tmp_path / "absent", tmp_path / "version"
    loaded.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06")
    assert nvidia_gpus([*say, "print('8.9, 580.1')"], none) == "8.9, 580.1\n"
    assert nvidia_gpus([*say, "print('No devices were found')"], none) is None
    assert nvidia_gpus([*say, "raise SystemExit(9)"], none) is None
    assert nvidia_gpus([*say, "raise SystemExit(9)"], loaded) == ""
    assert nvidia_gpus([str(tmp_path / "no-such-command")], none) is None


def test_a_tpu_is_known_by_its_pci_device_and_a_network_card_is_none(tmp_path):
    def device(name, vendor, kind):
        (tmp_path / name).mkdir()
        (tmp_path / name / "vendor").write_text(f"{vendor}\n")
        (tmp_path / name / "device").write_text(f"{kind}\n")

    assert not has_tpu(tmp_path / "absent")
    device("0000:00:03.0", "0x1ae0", "0x0042")  # Google's network card
    device("0000:00:04.0", "0x10de", "0x0063")  # another maker's
    assert not has_tpu(tmp_path)
    device("0000:00:05.0", "0x1ae0", "0x0063")  # v5e
    assert has_tpu(tmp_path)


def test_the_devices_are_those_that_jax_knows():
    from jax._src import hardware_utils as hardware

    assert set(accelerator.TPU_DEVICES) == set(hardware._TPU_PCI_DEVICE_IDS)
    assert accelerator.GOOGLE == hardware._GOOGLE_PCI_VENDOR_ID


def test_it_runs_before_anything_is_installed():
    done = subprocess.run([sys.executable, "-I", "-S", accelerator.__file__], capture_output=True, text=True)
    assert done.stdout.strip() in accelerator.BUILDS, done.stderr
