"""Equal pictures are read once."""

from __future__ import annotations

import numpy as np

from pdfbatch.engines.dolphin.jobs import Read
from pdfbatch.engines.dolphin.same_pictures import MOST, SamePictures

HEADER, OTHER = np.zeros((5, 40, 3), np.uint8), np.ones((5, 40, 3), np.uint8)
READ = Read([1, 2], "whole")


def test_the_second_who_asks_gets_the_answer_to_the_first() -> None:
    same, heard = SamePictures(), []
    answer = same.ask("text", HEADER, lambda read: heard.append(("first", read)))
    assert answer is not None
    assert same.ask("text", HEADER.copy(), lambda read: heard.append(("second", read))) is None
    assert heard == []
    answer(READ)
    assert heard == [("first", READ), ("second", READ)]
    assert same.ask("text", HEADER, lambda read: heard.append(("third", read))) is None
    assert heard[2:] == [("third", READ)]


def test_another_prompt_another_picture_and_another_shape_are_asked_for_themselves() -> None:
    same, heard = SamePictures(), []
    for prompt, picture in (("text", HEADER), ("table", HEADER), ("text", OTHER), ("text", HEADER.reshape(10, 20, 3))):
        assert same.ask(prompt, picture, heard.append) is not None


def test_an_answer_for_which_there_was_no_memory_is_not_remembered() -> None:
    same, heard = SamePictures(), []
    answer = same.ask("text", HEADER, heard.append)
    assert answer is not None
    answer(Read([], "memory"))
    assert heard == [Read([], "memory")]
    assert same.ask("text", HEADER, heard.append) is not None


def test_the_oldest_answers_are_forgotten() -> None:
    same, heard = SamePictures(), []
    pictures = [np.full((1, 1, 3), number, np.uint16) for number in range(MOST + 1)]
    for picture in pictures:
        answer = same.ask("text", picture, heard.append)
        assert answer is not None
        answer(READ)
    assert same.ask("text", pictures[-1], heard.append) is None
    assert same.ask("text", pictures[0], heard.append) is not None
