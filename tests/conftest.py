"""Fixtures and settings that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# No deadlines: the first example pays for imports and compilation. Drawn cases are the same on every run,
# except at night, when the point is to find new ones.
settings.register_profile("default", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real data; the test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("SCANWISE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set SCANWISE_DATA to its folder")
    return folder
