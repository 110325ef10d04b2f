"""What a scan does and costs, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scanwise.program import LayerTable, receptive_field

if TYPE_CHECKING:
    from ._scanner import Scanner


@dataclass(frozen=True)
class Explanation:
    """Facts about a scanner; ``print`` it.

    Attributes
    ----------
    layers
        Receptive field and cost of every layer; None for a scanner of a program alone.
    window, hop, jump
        Per axis, in input samples; ``jump`` is the distance of neighbouring units of the last layer.
    parameters
        Numbers in the program's parameters.
    window_macs
        Multiply-accumulates of one window on its own.
    scan_macs
        Multiply-accumulates per window of an endless scan.
    reuse_factor
        The first over the second.
    shared
        False when windows are computed one by one because they share too little.
    backend, reason
        What runs the scan, how well it should use the machine, and why it was chosen.
    latency
        Input samples per axis, counted from the window's start, that must be known before its scores are.
    ends
        Where sharing ends; empty when it never does.
    deviation
        For extended padding, how far the scan's function lies from the network's; see `Scanner.deviation`. Else None.
    """

    layers: LayerTable | None
    window: tuple[int, ...]
    hop: tuple[int, ...]
    jump: tuple[int, ...]
    parameters: int
    window_macs: int
    scan_macs: float
    reuse_factor: float
    shared: bool
    backend: str
    reason: str
    latency: tuple[int, ...]
    ends: tuple[str, ...]
    deviation: float | None

    @classmethod
    def of(cls, scanner: Scanner) -> Explanation:
        program, scan = scanner.program, scanner.chosen.scan
        return cls(
            layers=None if scanner.module is None else receptive_field(scanner.module, scanner.window_shape),
            window=scanner.window,
            hop=scanner.hop,
            jump=scanner.jump,
            parameters=sum(tensor.numel() for tensor in program.tensors()),
            window_macs=program.window_macs(),
            scan_macs=scan.macs,
            reuse_factor=scanner.reuse_factor,
            shared=scan.name != "torch" or scanner.plan.shared,
            backend=scan.description,
            reason=scanner.chosen.reason,
            latency=tuple(stop for _, stop in program.reach()),
            ends=tuple(map(str, program.ends)),
            deviation=scanner.deviation() if program.padding == "extend" and scanner.module is not None else None,
        )

    def __str__(self) -> str:
        lines = [
            (
                "window",
                _by(self.window) + " samples, hop " + _by(self.hop) + ", jump of the last layer " + _by(self.jump),
            ),
            ("parameters", f"{self.parameters:,}"),
            (
                "work",
                f"{self.window_macs:,} multiply-accumulates a window alone, {self.scan_macs:,.0f} in a scan",
            ),
            ("reuse factor", f"{self.reuse_factor:.1f}" + self._remark()),
            ("latency", f"{_by(self.latency)} samples from a window's start to its scores"),
            ("backend", f"{self.backend}: {self.reason}"),
            ("sharing", "throughout" if not self.ends else "ends at " + "\n".ljust(16).join(self.ends)),
        ]
        if self.deviation is not None:
            text = f"extended: another function than the network's, {self.deviation:.0%} off on noise, at most"
            lines.append(("padding", text))
        facts = "\n".join(f"{name:<13}  {text}" for name, text in lines)
        return facts if self.layers is None else f"{self.layers}\n\n{facts}"

    def _remark(self) -> str:
        if not self.shared:
            return ": windows share too little at this hop, so they are computed one by one"
        if self.reuse_factor < 1.05:
            apart = all(hop >= window for hop, window in zip(self.hop, self.window, strict=True))
            because = "windows do not overlap at this hop" if apart else "the first layer spans the whole window"
            return f": nothing to share, because {because}"
        return ""


def _by(values: tuple[int, ...]) -> str:
    return " x ".join(map(str, values))
