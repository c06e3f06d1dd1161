from pdfbatch.records import Reason, main_reason


def test_the_main_reason_is_the_commonest() -> None:
    assert main_reason([Reason.CRASHED, Reason.TIMEOUT, Reason.TIMEOUT]) is Reason.TIMEOUT
