"""Whether a session has the machine that was asked for, by a real operation on every device."""

from podium.core.budgets.accelerators import of_device_kind
from podium.core.errors import UsageError
from podium.core.redaction import one_line
from podium.submission.kaggle.exported import Export
from trainer.device.devices import find_devices

SIDE = 256  # of the matrices that are multiplied


def check(export: Export) -> str:
    """Multiply matrices on every device, and return a line about them.

    Raises:
        UsageError: the session has another accelerator or number of devices, or a device computes wrong results.
    """
    import jax
    import jax.numpy as jnp

    found = find_devices()
    asked = export.machine_shape or "no accelerator"
    known = of_device_kind(found.kind)
    same = known is not None and known.name == export.accelerator and found.count == export.devices
    if export.accelerator is None:
        same = found.platform == "cpu"
    if not same:
        raise UsageError(
            f"this session has {found}, and the submission was exported for {asked}"
            + (f" ({export.devices} x {export.accelerator})" if export.accelerator else "")
            + f": Kaggle substituted the accelerator or the image; end the session, choose {asked} in its settings, "
            "and run all cells again; nothing was claimed"
        )
    for device in jax.devices():
        try:
            ones = jax.device_put(jnp.ones((SIDE, SIDE), jnp.bfloat16), device)
            total = float(jnp.sum((ones @ ones).astype(jnp.float32)))
        except jax.errors.JaxRuntimeError as error:
            raise UsageError(f"{device} does not compute ({one_line(error, 200)}); start another session") from error
        if total != SIDE**3:
            raise UsageError(f"{device} computes {total:g} instead of {SIDE**3}; start another session")
    return f"machine: {found}, every device computes; JAX {jax.__version__}"
