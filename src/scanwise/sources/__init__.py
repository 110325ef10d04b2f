"""Files in and out: images, arrays, folders of clips, tables; bounded when read, atomic when written."""

from __future__ import annotations

from scanwise.sources._arrays import ARRAY_SUFFIXES, read_array
from scanwise.sources._atomic import ESCAPE, atomic_file, atomic_folder, atomic_write
from scanwise.sources._clips import Clips, read_arrays
from scanwise.sources._folder import read_image_folder
from scanwise.sources._images import IMAGE_SUFFIXES, read_image
from scanwise.sources._inputs import read_clips, read_input
from scanwise.sources._tables import read_table, write_table

__all__ = [
    "ARRAY_SUFFIXES",
    "ESCAPE",
    "IMAGE_SUFFIXES",
    "Clips",
    "atomic_file",
    "atomic_folder",
    "atomic_write",
    "read_array",
    "read_arrays",
    "read_clips",
    "read_image",
    "read_image_folder",
    "read_input",
    "read_table",
    "write_table",
]
