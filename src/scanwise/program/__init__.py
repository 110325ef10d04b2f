"""Any torch window network as a program: a graph of dense maps that computes it at every position."""

from scanwise.program._layers import Layer, LayerTable, receptive_field
from scanwise.program._nodes import BINARY, KINDS, UNARY, End, Node, Output, Program, Source
from scanwise.program._rewrite import rewrite
from scanwise.program._store import load_program, save_program

__all__ = [
    "BINARY",
    "KINDS",
    "End",
    "Layer",
    "LayerTable",
    "Node",
    "Output",
    "Program",
    "Source",
    "UNARY",
    "load_program",
    "receptive_field",
    "rewrite",
    "save_program",
]
