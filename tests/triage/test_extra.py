"""Without the extra, what needs it says so; running with a triage needs none of it."""

import pytest

from pdfbatch.errors import NotReady
from pdfbatch.triage.extra import check_comparing, check_registry, check_training


def test_what_is_not_installed_is_named_with_the_command_that_installs_it() -> None:
    def nothing(_name: str) -> None:
        return None

    with pytest.raises(NotReady, match="sklearn, rapidfuzz") as refused:
        check_training(nothing)
    assert "pip install '.[triage]'" in refused.value.hint
    with pytest.raises(NotReady, match="rapidfuzz"):
        check_comparing(nothing)
    with pytest.raises(NotReady, match=r"MLflow needs .*: mlflow\."):
        check_registry("http://mlflow:5000", nothing)
    with pytest.raises(NotReady, match="mlflow, sqlalchemy, alembic"):
        check_registry("sqlite:////m.db", nothing)


def test_a_server_needs_no_database_here() -> None:
    check_registry("http://mlflow:5000", lambda name: name == "mlflow" or None)
