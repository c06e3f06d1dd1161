"""A triage as a file, and as it is frozen in a manifest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import ValidationError

from pdfbatch.errors import PdfbatchError, UsageError
from pdfbatch.records import Triage, TriageModel

FILE_NAME = "triage.json"
MOST_BYTES = 1 << 20
_TRAIN = "`pdfbatch triage train CHEAP MODEL --save FILE` writes one (docs/triage.md)."


def as_file(model: TriageModel) -> bytes:
    """Returns the content of a file; the same triage gives the same bytes."""
    return (model.model_dump_json(indent=1) + "\n").encode()


def frozen(data: bytes, source: str, name: str = "") -> Triage:
    """Returns a triage from the content of a file, as it is put into a manifest. `source`: what the person named;
    `name`: what that stands for, or else the start of the digest.

    Raises:
        UsageError: it is no triage, or one for another version of pdfbatch.
    """
    digest = hashlib.sha256(data).hexdigest()
    try:
        model = TriageModel.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"{source} is not a triage ({where}: {first['msg'].lower()}).", _TRAIN) from None
    model.refuse_other_signals(source)
    return Triage(source=source, name=name or f"{source} ({digest[:12]})", sha256=digest, model=model)


def read_file(named: str) -> bytes:
    """Reads a file here or in a bucket.

    Raises:
        UsageError: it cannot be read, or is far too large.
    """
    try:
        if named.startswith("s3://"):
            from pdfbatch.store import open_store

            folder, _, name = named.rpartition("/")
            data = open_store(f"{folder}/").get(name)
        else:
            with Path(named).expanduser().open("rb") as file:
                data = file.read(MOST_BYTES + 1)
    except (OSError, RuntimeError, PdfbatchError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", str(error)).rstrip(".")
        raise UsageError(
            f"The triage {named} cannot be read: {reason}.", f"Name a file, or models:/NAME@ALIAS. {_TRAIN}"
        ) from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{named} is not a triage: it has more than 1 MiB.", _TRAIN)
    return data
