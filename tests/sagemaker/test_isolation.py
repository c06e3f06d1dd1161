"""Hosts without network: SageMaker copies their documents in, they convert them, it uploads what they wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pdfbatch.fleet.processing_request import INPUTS_KEY, Isolation, JobWish, request_of
from pdfbatch.records import ReadOptions, RunKeys
from pdfbatch.runs import ledger, manifest
from pdfbatch.runs.begin import Request, remaining
from pdfbatch.runs.partition import Slice
from pdfbatch.runs.verify import verify
from pdfbatch.store import LocalStore, Store, open_store
from samples import odd
from tests.program import Program
from tests.sagemaker import opt_ml
from tests.worker.begun import begin_at, now
