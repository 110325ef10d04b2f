"""What a network whose sharing ends is told about."""

from __future__ import annotations

import warnings

from scanwise.errors import NotScannable, SharingEnds
from scanwise.program import Program


def report_ends(program: Program, reuse_factor: float, *, strict: bool) -> None:
    """Warn the caller's caller where sharing ends and what that costs; refuse the network if `strict`."""
    ends = program.ends
    padded = any("pads" in end.reason for end in ends)
    remedy = "Use layers without padding inside the window, or padding='extend'" if padded else "The scan stays exact"
    where = "; ".join(map(str, ends[:3])) + (f"; and {len(ends) - 3} more" if len(ends) > 3 else "")
    if strict:
        raise NotScannable(f"module must be shared throughout when strict; sharing ends at {where}. {remedy}.")
    macs = program.window_macs()
    after = sum(node.macs * node.units for node in program.nodes if node.kind == "window")
    share = f"{after / max(macs, 1):.0%} of a window's work is not shared"
    reuse = f"the reuse factor is {reuse_factor:.1f}"
    warnings.warn(f"sharing ends at {where}. {share}; {reuse}. {remedy}.", SharingEnds, stacklevel=3)
