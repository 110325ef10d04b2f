"""One small comparison that several tests read."""

from __future__ import annotations

import numpy as np
import pytest

import scanwise as sw


@pytest.fixture(scope="session")
def comparison(shapes: tuple[np.ndarray, np.ndarray]) -> sw.audit.Comparison:
    """Crosses and rings: 48 to learn from, 12 held out; a window of 6 x 6 in 12 x 12, hop 2."""
    return sw.compare(shapes, widths=(6, 5), epochs=20, batch=16, shifts=(1, 2), lr=0.01)
