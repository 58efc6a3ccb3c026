"""Fetch one file: checked against its MD5 sum, complete or not there at all."""

import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path

TIMEOUT = 20.0  # seconds without a byte, after which the next address is tried
BLOCK = 1 << 20


def download(urls: Iterable[str], target: Path, md5: str) -> None:
    """Fetch `target` from the first address that delivers it.

    Raises:
        OSError: No address delivered it, or the folder cannot be written; the message is the last reason.
    """
    fault: Exception = OSError("no address is known")
    target.parent.mkdir(parents=True, exist_ok=True)
    for url in urls:
        try:
            _fetch(url, target, md5)
        except PermissionError:
            raise
        except (OSError, HTTPException) as error:
            fault = error
        else:
            return
    raise OSError(str(getattr(fault, "reason", fault))) from fault


def _fetch(url: str, target: Path, md5: str) -> None:
    digest = hashlib.md5(usedforsecurity=False)  # the sum that the data sets' authors publish
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    partial = Path(name)
    try:
        with (
            os.fdopen(descriptor, "wb") as file,
            urllib.request.urlopen(url, timeout=TIMEOUT) as answer,  # noqa: S310 - our own https addresses
        ):
            while block := answer.read(BLOCK):
                digest.update(block)
                file.write(block)
            os.fchmod(file.fileno(), 0o644)
        if digest.hexdigest() != md5:
            raise OSError(f"{url} delivered something else than expected (its MD5 sum differs)")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
