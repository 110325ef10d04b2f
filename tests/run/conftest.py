"""What tests of all backends share."""

from __future__ import annotations

import pytest

from scanwise.kernels import absent


@pytest.fixture(scope="session", params=["torch", "native"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend that is there."""
    if request.param == "native" and absent():
        pytest.skip(f"no native engine: {absent()}")
    return str(request.param)
