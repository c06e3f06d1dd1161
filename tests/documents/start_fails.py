"""Preloaded in children that end while they start: once for each letter in the file `starts` of the current folder."""

import os
from pathlib import Path

file = Path("starts")
if letters := file.read_text():
    file.write_text(letters[1:])
    os._exit(3)
