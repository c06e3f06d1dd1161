"""The only access to MLflow: tracks a training, registers its triage, and fetches one by version or alias.

Facts: mlflow-skinny 3.17 keeps a registry on a server (http, https) or, with sqlalchemy and alembic, in a file
(sqlite:); not in a folder.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from pdfbatch.errors import NotReady, PdfbatchError, UsageError
from pdfbatch.records import Triage
from pdfbatch.triage.extra import check_registry
from pdfbatch.triage.files import FILE_NAME, frozen, read_file

SCHEME = "models:/"
TRACKING, REGISTRY = "MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"
FOLDER = "triage"
"""The folder among a run's artifacts that is registered."""
_ADDRESS = re.compile(r"(https?|sqlite)://")
_NAMED = re.compile(r"models:/+(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>\d+))$")
_MANNERS = {
    # It would try for many minutes, report what it is used for, and write to stdout.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_ABSENT = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"})


class Tracked(NamedTuple):
    """A training as MLflow has it. `name` is `models:/NAME/VERSION`."""

    address: str
    run: str
    name: str
    alias: str


def resolve(named: str, environment: Mapping[str, str]) -> Triage:
    """Returns the triage that a person named, as it is frozen in a manifest: `models:/NAME@ALIAS`, `models:/NAME/3`, a
    file, or an s3:// URL.

    Raises:
        UsageError: there is none of that name, it is damaged, or trained for another version of pdfbatch.
        NotReady: MLflow is not installed, or does not answer.
    """
    if not named.startswith(SCHEME):
        return frozen(read_file(named), named)
    found = _NAMED.match(named)
    if found is None:
        raise UsageError(
            f"{named!r} is not a registered model.", "Write models:/NAME@ALIAS or models:/NAME/VERSION, or a file."
        )
    address = environment.get(REGISTRY) or environment.get(TRACKING, "")
    return Registry(checked_address(address)).fetch(named, found["name"], found["alias"], found["version"])


def checked_address(address: str) -> str:
    """Checks the address of an MLflow server or file.

    Raises:
        UsageError: it is none.
    """
    if not address:
        raise UsageError(
            "The address of MLflow is not known.",
            f"Set {TRACKING} to http(s)://HOST:PORT of a server, or to sqlite:////FOLDER/mlflow.db.",
        )
    if not _ADDRESS.match(address):
        raise UsageError(
            f"{address!r} is not a registry of MLflow; a folder keeps none.",
            f"Set {TRACKING} to http(s)://HOST:PORT of a server, or to sqlite:////FOLDER/mlflow.db.",
        )
    return address


class Registry:
    """MLflow at an address.

    Raises:
        NotReady: its packages are not installed.
    """

    def __init__(self, address: str) -> None:
        check_registry(address)
        for name, value in _MANNERS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        self.address = address
        self._client: Any = MlflowClient(tracking_uri=address, registry_uri=address)

    def fetch(self, named: str, name: str, alias: str | None, version: str | None) -> Triage:
        """Returns a registered triage."""
        with self._errors(f"{named} is not registered", _registered(alias)):
            if alias:
                version = str(self._client.get_model_version_by_alias(name, alias).version)
            place = self._client.get_model_version_download_uri(name, version)
        with self._errors(f"{named} cannot be fetched", "Check that the artifacts of that version are still there."):
            data = self._download(place)
        return frozen(data, named, f"{SCHEME}{name}/{version}")

    def track(
        self, experiment: str, params: Mapping[str, object], metrics: Mapping[str, float], files: Mapping[str, bytes]
    ) -> str:
        """Records a run with its numbers and files; returns its id."""
        with self._errors("The run cannot be recorded", "Check the address and its permissions."):
            run = self._client.create_run(self._experiment(experiment)).info.run_id
            self._log(run, {(key, 0): number for key, number in metrics.items()}, params)
            with tempfile.TemporaryDirectory() as folder:
                for name, data in files.items():
                    path = Path(folder, name)
                    path.write_bytes(data)
                    self._client.log_artifact(run, str(path), FOLDER if name == FILE_NAME else None)
            self._client.set_terminated(run)
        return str(run)

    def log_curve(self, run: str, name: str, points: Mapping[int, float]) -> None:
        """Records a metric at several steps, which MLflow draws."""
        with self._errors("The curve cannot be recorded", "Check the address and its permissions."):
            self._log(run, {(name, step): value for step, value in points.items()}, {})

    def register(self, run: str, name: str, alias: str, tags: Mapping[str, str]) -> Tracked:
        """Registers the triage of a run as the next version of `name`; `alias` then names it, if one is given."""
        from mlflow.exceptions import MlflowException

        with self._errors(f"{name} cannot be registered", "Check the name, the address and its permissions."):
            try:
                self._client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            source = f"{self._client.get_run(run).info.artifact_uri}/{FOLDER}"
            version = str(self._client.create_model_version(name, source, run, tags=dict(tags)).version)
            if alias:
                self._client.set_registered_model_alias(name, alias, version)
        return Tracked(self.address, run, f"{SCHEME}{name}/{version}", alias)

    def _log(self, run: str, metrics: Mapping[tuple[str, int], float], params: Mapping[str, object]) -> None:
        from mlflow.entities import Metric, Param

        at = int(time.time() * 1000)
        self._client.log_batch(
            run,
            [Metric(name, value, at, step) for (name, step), value in metrics.items()],
            [Param(key, str(value)) for key, value in params.items()],
        )

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        # For a file MLflow would put the artifacts into the current folder.
        path = self.address.partition("sqlite:///")[2]
        place = (Path(path).resolve().parent / "mlartifacts").as_uri() if path else None
        return str(self._client.create_experiment(name, artifact_location=place))

    def _download(self, place: str) -> bytes:
        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory() as folder:
            path = download_artifacts(artifact_uri=f"{place}/{FILE_NAME}", dst_path=folder, tracking_uri=self.address)
            return Path(path).read_bytes()

    @contextmanager
    def _errors(self, failed: str, hint: str) -> Iterator[None]:
        """Turns MLflow's errors into ours."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except PdfbatchError:
            raise
        except MlflowException as error:
            said = str(error).splitlines()[0][:200]
            if error.error_code in _ABSENT:
                raise UsageError(f"{failed}: {said.rstrip('.')}.", hint) from error
            raise NotReady(
                f"{failed}: MLflow at {self.address} does not answer as it should: {said.rstrip('.')}.",
                f"Check {TRACKING}, and its user and password (MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD).",
            ) from error
        except OSError as error:
            raise NotReady(f"{failed}: {error}.", hint) from error


def _registered(alias: str | None) -> str:
    wanted = f"give a version the alias {alias}" if alias else "check the version"
    return f"`pdfbatch triage train` registers one; with --alias, or in MLflow, {wanted}."
