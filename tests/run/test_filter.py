"""The filter formula, in words."""

from __future__ import annotations

import torch
from torch import nn

from scanwise.run import Scanner


def test_a_filter_is_the_inner_product_of_patch_and_weights_plus_bias_through_sigma() -> None:
    """y(u, v, c) = sigma(<patch(u, v), W_c> + b_c).

    One output unit of filter c at place (u, v) looks at the patch of the image that begins there. It multiplies every
    value of the patch by the weight at the same place in the filter, adds all products and the filter's bias, and
    passes the sum through the activation. The same filter does so at every place.
    """
    torch.manual_seed(3)
    channels, height, width, filters = 2, 3, 4, 5
    convolution = nn.Conv2d(channels, filters, (height, width)).double()
    scanner = Scanner(nn.Sequential(convolution, nn.Sigmoid(), nn.Flatten()).eval(), (channels, height, width))
    image = torch.randn(channels, 9, 8, dtype=torch.float64)
    scores = scanner.scan(image)
    assert scores.shape == (filters, 9 - height + 1, 8 - width + 1)
    for c in range(filters):
        weights, bias = convolution.weight[c].tolist(), convolution.bias[c].item()
        for u in range(scores.shape[1]):
            for v in range(scores.shape[2]):
                total = bias
                for channel in range(channels):
                    for row in range(height):
                        for column in range(width):
                            total += image[channel, u + row, v + column].item() * weights[channel][row][column]
                y = 1 / (1 + torch.tensor(-total, dtype=torch.float64).exp())
                torch.testing.assert_close(scores[c, u, v], y)
