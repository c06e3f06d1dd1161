"""Addresses and prices of endpoints, as people type them."""

from __future__ import annotations

import pytest

from pdfbatch.errors import UsageError
from pdfbatch.records import EndpointPrice, EndpointUse, checked_url


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://api.example.org/v1/", "https://api.example.org/v1"),
        ("https://api.example.org/v1/chat/completions", "https://api.example.org/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://10.0.3.7:30000/v1", "http://10.0.3.7:30000/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("http://vllm:8000/v1", "http://vllm:8000/v1"),
        ("http://gpu.lan/v1", "http://gpu.lan/v1"),
        ("http://vllm.ai.svc.cluster.local/v1", "http://vllm.ai.svc.cluster.local/v1"),
    ],
)
def test_an_address_is_https_or_nearby(typed: str, kept: str) -> None:
    assert checked_url(typed) == kept


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("http://api.example.org/v1", "not encrypted"),
        ("http://8.8.8.8/v1", "not encrypted"),
        ("https://me:hush-4711@api.example.org/v1", "user name or password"),
        ("https://api.example.org/v1?api_key=hush-4711", "api_key=…"),
        ("https://api.example.org/v1?version=2", "query"),
        ("api.example.org/v1", "not the address"),
        ("ftp://api.example.org", "not the address"),
        ("https://", "not the address"),
        ("https://a:notaport/v1", "not valid"),
        ("https://[bad/v1", "not valid"),
    ],
)
def test_any_other_address_is_refused_without_its_secret(typed: str, words: str) -> None:
    with pytest.raises(UsageError) as error:
        checked_url(typed)
    assert words in error.value.message and error.value.hint
    assert "hush-4711" not in error.value.message + error.value.hint


def test_a_price_is_in_dollars_per_million_tokens() -> None:
    price = EndpointPrice.read("0.25, 2")
    assert price.dollars(1_000_000, 500_000) == 1.25
    for wrong in ("", "2", "1,2,3", "a,b", "-1,2"):
        with pytest.raises(UsageError):
            EndpointPrice.read(wrong)


def test_uses_are_added() -> None:
    one = EndpointUse(answers=1, tokens_in=10, tokens_out=2, uncounted=1, dollars=0.1)
    assert one.plus(one) == EndpointUse(answers=2, tokens_in=20, tokens_out=4, uncounted=2, dollars=0.2)
