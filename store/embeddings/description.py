"""A checksum over what an embedding says of itself: its attributes, and its arrays' shapes, dtypes and codecs.

zarr checks the values that it stores, not the `zarr.json` files beside them. The checksum is an attribute of each of
the embedding's groups, so that the folder stays plain zarr and may be copied; embeddings of older versions have none.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from store.embeddings.layout import PARTS, SPLITS

CHECKSUM = "metadata_sha256"


def seal(folder: Path) -> None:
    """Write the checksum into an embedding that is about to be synced. Raises OSError."""
    digest = _digest(_documents(folder))
    for name in ("", *SPLITS):
        file = folder / name / "zarr.json"
        if file.is_file():
            document = json.loads(file.read_bytes())
            document["attributes"] = {**document.get("attributes", {}), CHECKSUM: digest}
            file.write_text(json.dumps(document, indent=2), encoding="utf-8")


def is_as_written(folder: Path) -> bool:
    """Whether nothing that an embedding says of itself was changed; True if it was written without a checksum.

    Raises:
        OSError: A file cannot be read.
    """
    try:
        documents = _documents(folder)
        recorded = {document.get("attributes", {}).get(CHECKSUM) for document in documents if "shape" not in document}
        return recorded in ({None}, {_digest(documents)})
    except (ValueError, AttributeError, TypeError):  # it is not JSON, or other JSON than zarr writes
        return False


def _documents(folder: Path) -> list[dict[str, Any]]:
    places = ("", *SPLITS, *(f"{split}/{part}" for split in SPLITS for part in PARTS))
    files = (folder / place / "zarr.json" for place in places)
    return [json.loads(file.read_bytes()) for file in files if file.is_file()]


def _digest(documents: list[dict[str, Any]]) -> str:
    """Of everything but the checksum, and what consolidating, which copies all metadata to one place, adds."""
    said = [
        {name: value for name, value in document.items() if name != "consolidated_metadata"}
        | {"attributes": {name: value for name, value in document.get("attributes", {}).items() if name != CHECKSUM}}
        for document in documents
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
