"""Published networks for images; nothing is padded inside the window."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody writes it
from torch import Tensor, nn

from .case import Case

__all__ = ["IMAGES"]


def lenet() -> nn.Module:
    """LeCun 1998: tanh, average pooling, three fully connected layers."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(16 * 5 * 5, 30), nn.Tanh(), nn.Linear(30, 21), nn.Tanh(), nn.Linear(21, 10),
    )  # fmt: skip


class FunctionalLeNet(nn.Module):
    """The tutorials' LeNet: layers in the constructor, everything else as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 6, 3)
        self.fc1, self.fc2 = nn.Linear(6 * 3 * 3, 12), nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.view(x.size(0), -1)
        x = F.dropout(F.relu(self.fc1(x)), training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)


def alexnet_style() -> nn.Module:
    """Krizhevsky 2012: a strided first layer, response normalisation across channels, overlapping pools."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.ReLU(), nn.LocalResponseNorm(3, alpha=0.1), nn.MaxPool2d(3, 2),
        nn.Conv2d(8, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(8 * 3 * 3, 5),
    )  # fmt: skip


def conv_bn_relu(before: int, after: int, kernel: int = 3, **options: int) -> list[nn.Module]:
    return [
        nn.Conv2d(before, after, kernel, bias=False, **options),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    ]


def vgg() -> nn.Module:
    """Simonyan 2014, with batch normalisation."""
    return nn.Sequential(
        *conv_bn_relu(3, 4), *conv_bn_relu(4, 4), nn.MaxPool2d(2),
        *conv_bn_relu(4, 8), *conv_bn_relu(8, 8), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8 * 3 * 3, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 5),
    )  # fmt: skip


def mobilenet() -> nn.Module:
    """Howard 2017: depthwise and pointwise convolutions in turn, strides of 2."""

    def separable(before: int, after: int, stride: int) -> list[nn.Module]:
        depthwise = nn.Conv2d(before, before, 3, stride, groups=before, bias=False)
        return [depthwise, nn.BatchNorm2d(before), nn.ReLU6(), nn.Conv2d(before, after, 1), nn.Hardswish()]

    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, bias=False), nn.BatchNorm2d(4), nn.ReLU6(),
        *separable(4, 6, 1), *separable(6, 8, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )  # fmt: skip


class ShuffleBlock(nn.Module):
    """Zhang 2017: grouped convolutions with the channels dealt out anew between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 6, 3, groups=2), nn.Conv2d(6, 6, 3, groups=3)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.head(F.relu(self.second(x)).amax((2, 3)))


class Inception(nn.Module):
    """Szegedy 2014: branches of several kernels, cropped to one size and concatenated."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(before, 3, 1)
        self.three = nn.Sequential(nn.Conv2d(before, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 3))
        self.five = nn.Sequential(nn.Conv2d(before, 2, 3), nn.ReLU(), nn.Conv2d(2, 3, 3))
        self.pool = nn.Sequential(nn.MaxPool2d(3, 1), nn.Conv2d(before, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        inner = x[..., 1:-1, 1:-1]
        branches = [self.one(inner[:, :, 1:-1, 1:-1]), self.three(inner), self.five(x), self.pool(inner)]
        return F.relu(torch.cat(branches, dim=1))


class ConvNeXtBlock(nn.Module):
    """Liu 2022, unpadded: a large depthwise kernel, then a small MLP over the channels, channels last."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.expand, self.project = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.rand(channels) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.project(F.gelu(self.expand(y)))
        return x[:, :, 3:-3, 3:-3] + y.permute(0, 3, 1, 2)


def inception() -> nn.Module:
    return nn.Sequential(Inception(2), nn.MaxPool2d(2), Inception(12), nn.Flatten(), nn.Linear(48, 5))


def convnext() -> nn.Module:
    stem = nn.Conv2d(2, 4, 2, 2)
    return nn.Sequential(
        stem, ConvNeXtBlock(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(4), nn.Linear(4, 3)
    )


def mlp() -> nn.Module:
    """Its first layer spans the window: there is nothing to share."""
    return nn.Sequential(nn.Flatten(), nn.Linear(30, 8), nn.ReLU(), nn.Linear(8, 3))


IMAGES = [
    Case("LeNet", lenet, (1, 32, 32)),
    Case("LeNet of functions", FunctionalLeNet, (1, 18, 18)),
    Case("AlexNet style", alexnet_style, (3, 25, 25)),
    Case("VGG with batch norm", vgg, (3, 24, 24)),
    Case("Inception", inception, (2, 16, 16)),
    Case("MobileNet", mobilenet, (3, 19, 17)),
    Case("ShuffleNet", ShuffleBlock, (4, 8, 7)),
    Case("ConvNeXt", convnext, (2, 18, 16)),
    Case("MLP on the whole window", mlp, (2, 3, 5)),
]
