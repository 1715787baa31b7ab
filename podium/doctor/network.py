"""Whether the hub of models can be reached."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies

from podium.core.redaction import redact
from podium.doctor.finding import Finding

TIMEOUT_S = 5.0


def hub(endpoint: str | None = None) -> Iterator[Finding]:
    """`endpoint`: an address; that of the hub's own library if not given."""
    from huggingface_hub import constants

    endpoint = endpoint or constants.ENDPOINT
    if constants.HF_HUB_OFFLINE:
        yield Finding.note("network", "HF_HUB_OFFLINE is set: models come from folders and the cache", "unset it")
        return
    target = urlsplit(getproxies().get(urlsplit(endpoint).scheme) or endpoint)
    try:
        port = target.port or (80 if target.scheme == "http" else 443)
        socket.create_connection((target.hostname or "", port), TIMEOUT_S).close()
    except (OSError, ValueError) as error:
        line = f"{redact(target.geturl())} cannot be reached ({getattr(error, 'strerror', None) or error})"
        yield Finding.note("network", f"{line}: models come from folders and the cache", "switch the internet on")
        return
    yield Finding.ok("network", f"{redact(target.geturl())} answers")
