"""From a request to tiles and memory: integers only, so a plan can be printed, cached and tested."""

from scanwise.plan._memory import memory_bytes
from scanwise.plan._plan import Plan, Stage, plan_scan
from scanwise.plan._tiles import tiles

__all__ = ["Plan", "Stage", "memory_bytes", "plan_scan", "tiles"]
