import pytest

from pdfbatch.config import worker_settings
from pdfbatch.errors import UsageError

BY_HAND = {
    "WORKER_ID": "1",
    "TOTAL_WORKERS": "3",
    "S3_INPUT_BUCKET": "b",
    "S3_OUTPUT_BUCKET": "c",
    "S3_OUTPUT_PREFIX": "md/",
}


def test_a_worker_started_by_hand_needs_only_the_old_variables() -> None:
    settings = worker_settings({**BY_HAND, "HOME": "/root"})
    assert (settings.worker, settings.total_workers, settings.max_retries, settings.run) == (1, 3, 2, None)
    assert (settings.source, settings.output) == ("s3://b/", "s3://c/md/")


def test_a_deadline_without_a_zone_is_utc() -> None:
    settings = worker_settings({**BY_HAND, "PDFBATCH_DEADLINE": "2026-01-01T00:00:00"})
    assert settings.deadline == worker_settings({**BY_HAND, "PDFBATCH_DEADLINE": "2026-01-01T00:00:00Z"}).deadline


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"WORKER_ID": ""}, "WORKER_ID"),
        ({"TOTAL_WORKERS": "many"}, "TOTAL_WORKERS"),
        ({"S3_INPUT_BUCKET": ""}, "S3_INPUT_BUCKET"),
    ],
)
def test_a_missing_or_wrong_variable_is_named(change: dict[str, str], named: str) -> None:
    with pytest.raises(UsageError, match=named) as error:
        worker_settings(BY_HAND | change)
    assert error.value.hint
