"""Equal pictures are read once."""

from __future__ import annotations

import numpy as np

from pdfbatch.engines.dolphin.jobs import Read
from pdfbatch.engines.dolphin.same_pictures import MOST, SamePictures

HEADER, OTHER = np.zeros((5, 40, 3), np.uint8), np.ones((5, 40, 3), np.uint8)
READ = Read([1, 2], "whole")


def test_the_second_who_asks_gets_the_answer_to_the_first() -> None:
    same, heard = SamePictures(), []
    assert same.is_first("text", HEADER, heard.append)
    assert not same.is_first("text", HEADER.copy(), heard.append)
    assert heard == []
    same.heard("text", HEADER, READ)
    assert heard == [READ]
    assert not same.is_first("text", HEADER, heard.append)
    assert heard == [READ, READ]


def test_another_prompt_another_picture_and_another_shape_are_asked_for_themselves() -> None:
    same, heard = SamePictures(), []
    assert same.is_first("text", HEADER, heard.append)
    assert same.is_first("table", HEADER, heard.append)
    assert same.is_first("text", OTHER, heard.append)
    assert same.is_first("text", HEADER.reshape(10, 20, 3), heard.append)


def test_an_answer_for_which_there_was_no_memory_is_not_remembered() -> None:
    same, heard = SamePictures(), []
    assert same.is_first("text", HEADER, heard.append)
    same.heard("text", HEADER, Read([], "memory"))
    assert same.is_first("text", HEADER, heard.append)


def test_the_oldest_answers_are_forgotten() -> None:
    same, heard = SamePictures(), []
    pictures = [np.full((1, 1, 3), number, np.uint16) for number in range(MOST + 1)]
    for picture in pictures:
        assert same.is_first("text", picture, heard.append)
        same.heard("text", picture, READ)
    assert not same.is_first("text", pictures[-1], heard.append)
    assert same.is_first("text", pictures[0], heard.append)
