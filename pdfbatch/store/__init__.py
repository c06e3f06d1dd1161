"""Stores for documents and results: a folder or an S3 prefix under one contract (contract.py)."""

from pdfbatch.store.contract import DANGLING, Entry, Store
from pdfbatch.store.local import LocalStore
from pdfbatch.store.location import inside, is_s3, local_path, open_store, s3_parts
from pdfbatch.store.s3 import S3Store

__all__ = [
    "DANGLING",
    "Entry",
    "LocalStore",
    "S3Store",
    "Store",
    "inside",
    "is_s3",
    "local_path",
    "open_store",
    "s3_parts",
]
