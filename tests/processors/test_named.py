"""How processors are named with `--also`, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdfbatch.errors import NotReady, UsageError
from pdfbatch.processors.registry import processors_named, ready
from pdfbatch.records import ProcessorSpec
from tests.program import Program

NOTES = "tests.processors.own:Notes"


def test_a_processor_is_frozen_with_its_version_and_all_its_options() -> None:
    (spec,) = processors_named(["images:format=png,dpi=200"])
    assert spec == ProcessorSpec(
        name="images", version="1", options={"what": "pages", "format": "png", "dpi": 200, "quality": 82}
    )
    assert spec.stamp == "1 dpi=200 format=png quality=82 what=pages"


def test_the_order_of_kinds_makes_no_other_images() -> None:
    one, other = (processors_named([f"images:what={what}"])[0] for what in ("pages+figures", "figures+pages"))
    assert one.stamp == other.stamp


def test_a_class_has_a_folder_with_its_name_and_options_after_it() -> None:
    (spec,) = processors_named([f"{NOTES}:how=raise,where=x"])
    assert (spec.name, spec.folder, spec.options["how"]) == (NOTES, "Notes", "raise")


def test_a_settings_variable_that_was_divided_at_commas_is_put_together() -> None:
    specs = processors_named(["images:format=png", "dpi=200", "analysis"])
    assert [spec.name for spec in specs] == ["images", "analysis"] and specs[0].options["dpi"] == 200


@pytest.mark.parametrize(
    ("written", "message", "hint"),
    [
        ("imges", "There is no processor 'imges' here.", "Did you mean 'images'? Processors here: analysis, images"),
        ("images:dip=9", "--also images has no option 'dip'.", "Did you mean 'dpi'? Options of images: what, format"),
        ("images:format=gif", "format is 'gif'; it should be 'webp', 'png' or 'jpeg'.", "Options of images"),
        ("images:what=page", "what is 'page'; it should be pages, figures or tables", "Options of images"),
        ("images:dpi=9999", "dpi is '9999'; it should be less than or equal to 600", "Options of images"),
        ("images:png", "the options of images are written key=value.", "Options: what, format"),
        ("images:dpi=9,png", "'png' is not an option.", "key=value,key=value"),
        ("images, analysis", "is not a processor.", "Write NAME, or NAME:key=value,key=value."),
        ("no.such:Thing", "cannot be loaded: ModuleNotFoundError", "PYTHONPATH=FOLDER"),
        ("tests.processors.own:NotOne", "is not a processor.", "Derive the class from pdfbatch.processors.Processor"),
    ],
)
def test_a_wrong_name_or_option_is_answered_with_the_choices(written: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        processors_named([written])
    assert message in refused.value.message and hint in refused.value.hint


def test_two_processors_with_one_folder_are_refused() -> None:
    with pytest.raises(UsageError, match="write to the folder 'images'"):
        processors_named(["images", "images:format=png"])


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (ProcessorSpec(name="words", version="3"), "the processor 'words' in version 3. There is no processor 'words'"),
        (ProcessorSpec(name=NOTES, version="0"), "in version 0, and version 1 is installed here"),
        (ProcessorSpec(name=NOTES, version="1", options={"old": 1}), "has no option 'old'"),
    ],
)
def test_a_run_says_which_processor_it_needs_where_another_is_installed(spec: ProcessorSpec, said: str) -> None:
    with pytest.raises(NotReady) as refused:
        ready([spec])
    assert said in refused.value.message and "worker image" in refused.value.hint


def test_no_settings_file_that_is_found_may_name_a_class(tmp_path: Path, pdfbatch: Program) -> None:
    (tmp_path / "pdfbatch.toml").write_text(f'also = ["{NOTES}"]\n')
    refused = pdfbatch("local-run", "in", "out", folder=tmp_path)
    assert refused.returncode == 2 and "no file that is found may run programs" in refused.stderr
    (tmp_path / "pdfbatch.toml").write_text('also = ["images:dpi=9"]\n')
    installed = pdfbatch("local-run", "in", "out", folder=tmp_path)
    assert installed.returncode == 2 and "images: dpi is '9'" in installed.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["in", "out", "--command", "x {in} {out}"], "--command reads documents by itself"),
        (["in/a.pdf", "-"], "OUTPUT - keeps no files of --also"),
    ],
)
def test_where_nothing_can_be_made_of_pages_it_is_said(
    tmp_path: Path, pdfbatch: Program, words: list[str], said: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.pdf").touch()
    refused = pdfbatch("local-run", *words, "--also", "images", folder=tmp_path)
    assert refused.returncode == 2 and said in refused.stderr
