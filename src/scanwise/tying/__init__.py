"""Tied sets of weights: declare them, learn with them, recognise them, expand networks into them and fold them back.

A *tied set* is a set of edges that are held to one shared parameter. A `TieMap` says for every edge of a layer which
set it is in; a `TiedMLP` is a perceptron of such layers over one vector of parameters. `expand` shows that a
convolutional network is one, `recognise` finds the convolution in the map again, `fold` gives the network back, and
`TiedLinear` runs any map by the fastest exact kernel. `Textbook` learns as the field's textbooks say, edge by edge;
`Shared` as everybody does; both are the same. `scan_mlp` and `distribute` turn a perceptron on windows into a scanning
network.
"""

from __future__ import annotations

from scanwise.tying._classic import distribute, scan_mlp
from scanwise.tying._expand import expand
from scanwise.tying._fold import fold
from scanwise.tying._layers import EdgeLayer, edges_of
from scanwise.tying._linear import TiedLinear
from scanwise.tying._matrix import BlockMatrix, block_matrix
from scanwise.tying._mlp import TiedMLP
from scanwise.tying._recognise import UNUSED, Block, Certificate, recognise
from scanwise.tying._stencil import Axis, Stencil
from scanwise.tying._textbook import Learnt, Shared, Textbook, learn
from scanwise.tying._tie_map import ONE, TieMap

__all__ = [
    "ONE",
    "UNUSED",
    "Axis",
    "Block",
    "BlockMatrix",
    "Certificate",
    "EdgeLayer",
    "Learnt",
    "Shared",
    "Stencil",
    "Textbook",
    "TieMap",
    "TiedLinear",
    "TiedMLP",
    "block_matrix",
    "distribute",
    "edges_of",
    "expand",
    "fold",
    "learn",
    "recognise",
    "scan_mlp",
]
