"""Residual networks, with valid convolutions and cropped skips, and padded as published."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from torch import Tensor, nn

from .case import Case

__all__ = ["RESIDUAL", "RESNET50"]


class Crop(nn.Module):
    """Drop `n` units at both ends of every axis of space: the skip around unpadded convolutions."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.n = n

    def forward(self, x: Tensor) -> Tensor:
        return x[(..., *(slice(self.n, -self.n),) * (x.ndim - 2))]


class Residual(nn.Module):
    """Two 3x3 convolutions and a skip, cropped or padded; a 1x1 convolution where the shape changes."""

    def __init__(self, before: int, after: int, stride: int = 1, padding: int = 0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, padding, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.crop = nn.Identity() if padding else Crop(1 + stride)
        same = before == after and stride == 1
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(nn.Conv2d(before, after, 1, stride), nn.BatchNorm2d(after))
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.shortcut(self.crop(x)))


def resnet(padding: int = 0) -> nn.Module:
    """He 2015, four blocks, one of them strided."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=padding), nn.BatchNorm2d(4), nn.ReLU(),
        Residual(4, 4, 1, padding), Residual(4, 8, 2, padding), Residual(8, 8, 1, padding),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip


class Bottleneck(nn.Module):
    """The three-layer block of the 50-layer ResNet, padded, as everybody trains it."""

    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        after = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.relu(self.bn3(self.conv3(x)) + identity)


class ResNet50(nn.Module):
    """He 2015, 50 layers (3, 4, 6, 3 bottlenecks); width 64 is the published one."""

    def __init__(self, width: int = 64, outputs: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, 3, bias=False)
        self.bn1, self.relu, self.maxpool = (
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        before = width
        stages = []
        for stage, blocks in enumerate((3, 4, 6, 3)):
            inner = width * 2**stage
            for block in range(blocks):
                stages.append(Bottleneck(before, inner, stride=2 if stage and block == 0 else 1))
                before = 4 * inner
        self.layers = nn.Sequential(*stages)
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(before, outputs)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layers(x)), 1))


RESIDUAL = [
    Case("ResNet, valid, cropped skips", resnet, (3, 22, 24)),
    Case("ResNet, padded", lambda: resnet(padding=1), (3, 10, 10), ends="0"),
    Case("ResNet-50, narrow", lambda: ResNet50(width=4, outputs=7), (3, 40, 40), ends="conv1"),
]

RESNET50 = Case("ResNet-50", ResNet50, (3, 224, 224), ends="conv1")
