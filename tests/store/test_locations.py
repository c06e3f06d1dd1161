"""What a person may give as INPUT and OUTPUT."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pdfbatch.errors import ExitCode, UsageError
from pdfbatch.store import LocalStore, S3Store, inside, open_store


@pytest.mark.parametrize(
    ("location", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/a", "bucket", "a/"),
        ("s3://bucket/a/b/", "bucket", "a/b/"),
        ("s3://bucket/a//b//", "bucket", "a//b/"),
        ("s3://bucket/with space/é?x#y%20", "bucket", "with space/é?x#y%20/"),
        ("s3://my.bucket-1/x", "my.bucket-1", "x/"),
    ],
)
def test_an_s3_location_is_a_bucket_and_a_prefix_that_ends_with_a_slash(
    location: str, bucket: str, prefix: str
) -> None:
    store = open_store(location)
    assert isinstance(store, S3Store)
    assert (store.bucket, store.prefix, store.url) == (bucket, prefix, f"s3://{bucket}/{prefix}")


@pytest.mark.parametrize(
    ("location", "hint"),
    [
        ("s3:/bucket/x", "s3://bucket/x"),
        ("s3:bucket", "s3://bucket"),
        ("s3:///bucket/x", "s3://bucket/x"),
        ("S3://bucket/x", "s3://bucket/x"),
        ("s3a://bucket/x", "s3://bucket/x"),
        ("s3://", "s3://bucket/prefix/"),
        ("s3:", "s3://bucket/prefix/"),
        ("s3://ab", "at least 3"),
        ("s3://buck et/x", "s3://bucket/prefix/"),
        ("s3://bücket/x", "s3://bucket/prefix/"),
        ("", "local folder"),
        ("  ", "local folder"),
        ("a\0b", "local folder"),
        ("https://example.org/papers/", "Download"),
        ("http://127.0.0.1:9000/bucket", "AWS_ENDPOINT_URL"),
        ("gs://bucket/x", "s3://bucket/prefix/"),
        ("file://server/share", "file:///"),
    ],
)
def test_an_invalid_location_is_refused_with_a_suggestion(location: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(location)
    assert hint in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE
    assert "\0" not in caught.value.message


def test_a_folder_may_be_relative_or_have_a_trailing_slash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for location, folder in [
        ("out", tmp_path / "out"),
        ("./a/../out//", tmp_path / "out"),
        (f"{tmp_path}/out/", tmp_path / "out"),
        (f"file://{tmp_path}/with%20space", tmp_path / "with space"),
        ("~/papers", tmp_path / "home" / "papers"),
        ("./s3:", tmp_path / "s3:"),
        (".", tmp_path),
    ]:
        assert open_store(location).url == f"{folder}/"


def test_the_root_of_the_file_system_is_a_folder() -> None:
    assert open_store("/").url == "/"


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(b"")
    with pytest.raises(UsageError, match="is a file") as caught:
        open_store(str(tmp_path / "one.pdf"))
    assert str(tmp_path) in caught.value.hint


def test_a_missing_folder_is_made_only_on_request(tmp_path: Path) -> None:
    open_store(str(tmp_path / "a" / "b"))
    assert not (tmp_path / "a").exists()
    open_store(str(tmp_path / "a" / "b"), create=True)
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_whose_name_is_not_utf8_has_a_url_that_opens_it(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    store = open_store(name, create=True)
    store.url.encode()  # what a manifest carries is valid Unicode
    again = open_store(store.url)
    assert isinstance(again, LocalStore)
    assert again.root == Path(name)


@pytest.mark.parametrize(
    ("a", "b", "is_inside"),
    [
        ("s3://bucket/a/b", "s3://bucket/a", True),
        ("s3://bucket/a", "s3://bucket/", True),
        ("s3://bucket/a", "s3://bucket/a/", True),
        ("s3://bucket/ab", "s3://bucket/a", False),
        ("s3://bucket/a", "s3://bucket/a/b", False),
        ("s3://other/a", "s3://bucket/a", False),
        ("/a/b", "/a", True),
        ("/a/b/../c", "/a", True),
        ("/ab", "/a", False),
        ("/a", "/a/b", False),
        ("/a", "/", True),
        ("/a", "s3://bucket/", False),
        ("s3://bucket/a", "/", False),
    ],
)
def test_inside_goes_by_whole_names(a: str, b: str, is_inside: bool) -> None:
    assert inside(open_store(a), open_store(b)) is is_inside


def test_inside_sees_through_links(tmp_path: Path) -> None:
    (tmp_path / "real" / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert inside(open_store(f"{tmp_path}/link/below"), open_store(f"{tmp_path}/real"))
    assert inside(open_store(f"{tmp_path}/link/not-there-yet"), open_store(f"{tmp_path}/real"))
    assert inside(open_store(f"{tmp_path}/link"), open_store(f"{tmp_path}/real/"))
    assert inside(open_store(f"{tmp_path}/real"), open_store(f"{tmp_path}/link"))
    assert not inside(open_store(f"{tmp_path}/real"), open_store(f"{tmp_path}/link/below"))
