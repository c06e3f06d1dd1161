"""What an endpoint answers is read without trust."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdfbatch.engines.endpoint.answer import (
    MOST_LETTERS,
    Answer,
    Trouble,
    answer_of,
    is_same_model,
    loop_in,
    models_in,
    retry_after,
    trouble_of,
)

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
PROSE = " ".join(f"Sentence {number} says that {number * 7} waves broke on day {number}." for number in range(60))


def answered(content: Any = "Hello", finish: Any = "stop", **more: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
    return json.dumps({"model": "m", "choices": [choice], **more}).encode()


def test_an_answer_has_its_text_its_tokens_and_its_model() -> None:
    usage = {"prompt_tokens": 1200, "completion_tokens": 30}
    assert answer_of(answered(usage=usage)) == Answer("Hello", "whole", 1200, 30, "m")


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, ""), ("", ""), ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, 7], "ab")],
)
def test_a_text_may_be_missing_or_come_in_parts(content: Any, text: str) -> None:
    found = answer_of(answered(content))
    assert isinstance(found, Answer) and found.text == text


@pytest.mark.parametrize(
    "usage", [None, [], "many", {"prompt_tokens": -1}, {"prompt_tokens": 1e30}, {"prompt_tokens": True}, {}]
)
def test_a_count_that_is_none_is_not_believed(usage: Any) -> None:
    found = answer_of(answered(usage=usage))
    assert isinstance(found, Answer) and found.tokens_in is None and found.tokens_out is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<!DOCTYPE html><title>Welcome</title>", "something other than JSON ('<!DOCTYPE html>"),
        (b"\x1b[2J\xff\xfe", "other than JSON ('\\\\u001b[2J"),
        (b"", "other than JSON"),
        (b"[1, 2]", "other than JSON"),
        (b"[" * 100_000, "other than JSON"),
        (b'{"choices": []}', "without a choice"),
        (b'{"choices": [7]}', "without a choice"),
        (b'{"choices": [{"message": null}]}', "without a choice"),
        (answered(content={"a": 1}), "without a text"),
        (b'{"error": {"message": "CUDA out of memory"}}', "an error: CUDA out of memory"),
    ],
)
def test_a_lie_is_a_trouble_that_another_try_may_mend(data: bytes, words: str) -> None:
    found = answer_of(data)
    assert isinstance(found, Trouble) and found.blame == "broken"
    assert words in found.detail


@given(st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_any_bytes_are_an_answer_or_a_trouble(data: bytes | str) -> None:
    raw = data.encode() if isinstance(data, str) else data
    assert isinstance(answer_of(raw), Answer | Trouble)
    assert isinstance(trouble_of(500, {}, raw, NOW), Trouble)
    models_in(raw)


def test_a_filtered_or_refused_page_is_refused_alone() -> None:
    found = answer_of(answered("", "content_filter"))
    assert isinstance(found, Trouble) and found.blame == "page"
    refusal = json.dumps({"choices": [{"message": {"content": None, "refusal": "I cannot help."}}]}).encode()
    found = answer_of(refusal)
    assert isinstance(found, Trouble) and "I cannot help" in found.detail


@pytest.mark.parametrize(
    ("status", "body", "blame"),
    [
        (401, {"error": {"message": "no key"}}, "fatal"),
        (402, {}, "fatal"),
        (403, {}, "fatal"),
        (404, {"detail": "Not Found"}, "fatal"),
        (301, {}, "fatal"),
        (429, {"error": {"message": "slow down"}}, "busy"),
        (429, {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, "fatal"),
        (503, {"error": {"message": "Loading model"}}, "busy"),
        (529, {}, "busy"),
        (500, {}, "broken"),
        (502, None, "broken"),
        (408, {}, "broken"),
        (400, {"error": "the image is too large"}, "page"),
        (413, {}, "page"),
        (422, {"detail": [{"msg": "bad"}]}, "page"),
    ],
)
def test_a_status_says_whose_trouble_it_is(status: int, body: Any, blame: str) -> None:
    found = trouble_of(status, {}, b"<html>" if body is None else json.dumps(body).encode(), NOW)
    assert (found.blame, found.status) == (blame, status)
    assert str(status) in found.detail


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("0.5", 0.5),
        ("Fri, 27 Nov 2026 12:00:30 GMT", 30),
        ("Fri, 27 Nov 2026 11:00:00 GMT", 0),
        ("", 0),
        ("soon", 0),
        ("-3", 0),
        ("²", 0),
    ],
)
def test_how_long_to_wait_is_a_number_or_a_date(header: str, seconds: float) -> None:
    assert retry_after(header, NOW) == seconds
    assert trouble_of(429, {"Retry-After": header}, b"", NOW).wait == seconds


@pytest.mark.parametrize("turn", ["round and on ", "and so on, ", "哈", "ab", "| 1 | 2 |\n"])
def test_a_text_that_repeats_itself_until_it_is_cut_is_a_loop(turn: str) -> None:
    found = answer_of(answered(f"{PROSE}\n\n{turn * 2000}", "length"))
    assert isinstance(found, Answer) and found.ending == "looped"
    assert found.text.startswith(PROSE) and len(found.text) < len(PROSE) + 60


@pytest.mark.parametrize("rest", [PROSE, "\n".join(f"| {n} | {n * n} | {n % 3} |" for n in range(300)), "." * 500])
def test_a_text_that_was_only_cut_is_no_loop(rest: str) -> None:
    found = answer_of(answered(f"{PROSE} {rest}", "length"))
    assert isinstance(found, Answer) and found.ending == "truncated"


def test_what_ends_by_itself_may_repeat_itself_for_longer() -> None:
    form = "Name: ____ Date: ____\n" * 60
    assert loop_in(PROSE + form, is_cut=False) is None
    assert loop_in(PROSE + "no end " * 900, is_cut=False) is not None


def test_an_answer_without_end_is_cut() -> None:
    found = answer_of(answered("".join(f"{number} " for number in range(MOST_LETTERS))))
    assert isinstance(found, Answer) and found.ending == "truncated" and len(found.text) == MOST_LETTERS


@pytest.mark.parametrize(
    ("asked", "named", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("lightonai/LightOnOCR-2-1B", "LightOnOCR-2-1B", True),
        ("models/gemini", "gemini", True),
        ("qwen", "", True),
        ("/m/tiny.gguf", "tiny.gguf", True),
        ("gpt-4o", "llama-3", False),
        ("tiny/vision", "huge/vision", False),
    ],
)
def test_a_model_has_several_names(asked: str, named: str, same: bool) -> None:
    assert is_same_model(asked, named) is same


def test_a_list_of_models_is_read_where_it_is_one() -> None:
    assert models_in(b'{"object": "list", "data": [{"id": "a"}, {"id": 7}, 3]}') == ["a"]
    assert models_in(b'{"data": "no"}') is None
    assert models_in(b"<html>") is None
