"""A picture is read once, whatever asks for it again."""

from __future__ import annotations

import numpy as np

from pdfbatch.documents.ocr.remembered import Remembered
from pdfbatch.documents.ocr.scan import read_crops
from pdfbatch.documents.pdf.raster import Pixels


class CountingReader:
    """Answers with the number of pictures read so far."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, picture: Pixels) -> int:
        self.count += 1
        return self.count


def picture_of(shade: int, height: int = 4, width: int = 6) -> Pixels:
    return np.full((height, width, 3), shade, np.uint8)


def test_the_same_pixels_are_read_once() -> None:
    reader, remembered = CountingReader(), Remembered[int](8)
    wide = np.full((8, 12, 3), 7, np.uint8)
    assert remembered.of(picture_of(7), reader.read) == remembered.of(wide[::2, ::2], reader.read) == 1


def test_pictures_of_another_shade_or_shape_are_read_themselves() -> None:
    reader, remembered = CountingReader(), Remembered[int](8)
    pictures = [picture_of(7), picture_of(8), picture_of(7, height=6, width=4)]
    assert [remembered.of(picture, reader.read) for picture in pictures] == [1, 2, 3]


def test_the_picture_that_was_asked_for_longest_ago_is_forgotten() -> None:
    reader, remembered = CountingReader(), Remembered[int](2)
    answers = [remembered.of(picture_of(shade), reader.read) for shade in (1, 2, 1, 3, 1, 2)]
    assert answers == [1, 2, 1, 3, 1, 4]


def test_a_line_reads_the_same_alone_among_others_and_again() -> None:
    random = np.random.default_rng(5)
    lines = [random.integers(0, 256, (48, width, 3), np.uint8) for width in (60, 200, 400)]
    assert [read_crops([line])[0] for line in lines] == read_crops(lines) == read_crops(lines[::-1])[::-1]
