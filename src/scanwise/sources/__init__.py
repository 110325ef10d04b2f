"""Files in and out: images, recordings, arrays, folders of clips, tables; bounded when read, atomic when written."""

from __future__ import annotations

from scanwise.sources._arrays import ARRAY_SUFFIXES, read_array
from scanwise.sources._atomic import ESCAPE, atomic_file, atomic_folder, atomic_write
from scanwise.sources._clips import Clips, read_arrays
from scanwise.sources._files import is_folder
from scanwise.sources._images import IMAGE_SUFFIXES, read_image
from scanwise.sources._inputs import read_clips, read_input
from scanwise.sources._listing import list_recordings, visible_files
from scanwise.sources._manifest import Manifest, is_manifest, read_manifest
from scanwise.sources._recordings import AUDIO_SUFFIXES, RECORDING_SUFFIXES, Recording, open_recording
from scanwise.sources._signals import Reading, Signal, read_recording
from scanwise.sources._tables import read_table, write_table
from scanwise.sources._text import read_text

__all__ = [
    "ARRAY_SUFFIXES",
    "AUDIO_SUFFIXES",
    "ESCAPE",
    "IMAGE_SUFFIXES",
    "RECORDING_SUFFIXES",
    "Clips",
    "Manifest",
    "Reading",
    "Recording",
    "Signal",
    "atomic_file",
    "atomic_folder",
    "atomic_write",
    "is_folder",
    "is_manifest",
    "list_recordings",
    "open_recording",
    "read_array",
    "read_arrays",
    "read_clips",
    "read_image",
    "read_input",
    "read_manifest",
    "read_recording",
    "read_table",
    "read_text",
    "visible_files",
    "write_table",
]
