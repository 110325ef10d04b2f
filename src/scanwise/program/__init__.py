"""Any torch window network as a program: a graph of dense maps that computes it at every position."""

from scanwise.program._layers import Layer, LayerTable, receptive_field
from scanwise.program._nodes import BINARY, KINDS, UNARY, End, Node, Output, Program, Source
from scanwise.program._refuse import comparable
from scanwise.program._residue import Residue
from scanwise.program._rewrite import rewrite
from scanwise.program._store import load_program, save_program
from scanwise.program._views import BATCH, CHANNEL, Factor, View

__all__ = [
    "BATCH",
    "BINARY",
    "CHANNEL",
    "KINDS",
    "UNARY",
    "End",
    "Factor",
    "Layer",
    "LayerTable",
    "Node",
    "Output",
    "Program",
    "Residue",
    "Source",
    "View",
    "comparable",
    "load_program",
    "receptive_field",
    "rewrite",
    "save_program",
]
