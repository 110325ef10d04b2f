"""The demonstration: learn real digits, hide others in a large picture, find them."""

from __future__ import annotations

from scanwise.demo._demo import DemoResult, run
from scanwise.demo._search import Learnt, learn, search

__all__ = ["DemoResult", "Learnt", "learn", "run", "search"]
