"""Published architectures, as other people write them, are scanned exactly or refused with the reason."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from backends import BACKENDS

from scanwise.errors import NotScannable, SharingEnds
from scanwise.run import Scanner


def load_zoo():
    """Import the package ``tests/zoo``, which stands on nobody's path."""
    file = Path(__file__).parents[1] / "zoo" / "__init__.py"
    spec = importlib.util.spec_from_file_location("scanwise_zoo", file, submodule_search_locations=[str(file.parent)])
    sys.modules["scanwise_zoo"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


ZOO = load_zoo()
SHARED = [case for case in ZOO.CASES if not case.ends]
ENDING = [case for case in ZOO.CASES if case.ends]


def by_name(cases):
    assert cases
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


def leaves(scores):
    if isinstance(scores, dict):
        return list(scores.values())
    return list(scores) if isinstance(scores, tuple) else [scores]


def assert_exact(scanner, module, case):
    """The scan equals the network on each window, cut here by hand, on an input some samples larger."""
    window, hop = scanner.window, scanner.hop
    generator = torch.Generator().manual_seed(1)
    space = [size + extra for size, extra in zip(window, (5, 4), strict=False)]
    x = torch.randn(2, case.window_shape[0], *space, dtype=torch.float64, generator=generator)
    scores = scanner.scan(x)
    oracle = scanner.scan_windows(x)
    assert type(scores) is type(oracle)
    counts = [(size - w) // h + 1 for size, w, h in zip(space, window, hop, strict=True)]
    for place in torch.cartesian_prod(*map(torch.arange, counts)).reshape(-1, len(counts)).tolist():
        cut = tuple(slice(i * h, i * h + w) for i, h, w in zip(place, hop, window, strict=True))
        with torch.no_grad():
            expected = module(x[(..., *cut)].clone())
        for got, slow, want in zip(leaves(scores), leaves(oracle), leaves(expected), strict=True):
            assert got.shape == (*want.shape, *counts)
            scale = max(1.0, float(want.abs().max()))
            assert float((got[(..., *place)] - want).abs().max()) <= 1e-11 * scale
            assert float((slow[(..., *place)] - want).abs().max()) <= 1e-11 * scale


def assert_exact_at_every_hop(scanner, module, case, backends):
    assert_exact(scanner, module, case)
    for backend in backends:
        for hop in (2, 3) if len(scanner.window) == 1 else (2, (2, 3)):
            again = Scanner.from_program(scanner.program, hop, backend=backend)
            assert again.backend == backend
            assert_exact(again, module, case)


@by_name(SHARED)
def test_a_published_network_is_scanned_exactly_at_every_hop(case):
    module = case.make().double()
    backends = BACKENDS if len(case.window_shape) <= 3 else ["torch"]
    assert_exact_at_every_hop(Scanner(module, case.window_shape, strict=True), module, case, backends)


@by_name(ENDING)
def test_where_sharing_ends_the_layer_is_named_and_the_scan_stays_exact(case):
    module = case.make().double()
    with pytest.warns(SharingEnds, match=rf"\b{case.ends}\b"):
        scanner = Scanner(module, case.window_shape)
    assert_exact_at_every_hop(scanner, module, case, ["torch"])


@by_name(ENDING)
def test_where_sharing_ends_a_strict_scanner_refuses_and_names_the_layer(case):
    with pytest.raises(NotScannable, match=rf"\b{case.ends}\b"):
        Scanner(case.make(), case.window_shape, strict=True)


@by_name(ZOO.REFUSED)
@pytest.mark.parametrize("strict", [False, True])
def test_what_no_scan_can_equal_is_refused_always(case, strict):
    with pytest.raises(NotScannable, match=case.refused):
        Scanner(case.make(), case.window_shape, strict=strict)


@pytest.mark.slow
def test_the_published_resnet_50_is_captured():
    case = ZOO.RESNET50
    module = case.make()
    assert sum(weight.numel() for weight in module.parameters()) == 25_557_032
    assert Scanner(module, case.window_shape, padding="extend").jump == (32, 32)
