"""Pooling."""

from math import inf

import torch
import torch.nn.functional as F

from .case import Case, Draw, Values, arguments, padded, pair_text, sides_text


class Window:
    """Kernel, stride, padding and dilation of a pooling op over an input."""

    def __init__(self, draw: Draw, number: int, dilated: bool):
        self.extents = draw.extents(number)
        self.kernel = draw.pair(1, 5)
        self.stride = draw.pair(1, 3) if draw.chance(70) else self.kernel
        self.dilation = draw.pair(1, 3) if dilated and draw.chance(40) else [1, 1]
        self.sides = draw.sides((self.kernel[0] // 2, self.kernel[1] // 2))
        self.ceil = draw.chance(50)

    def outputs(self) -> list[int]:
        """PyTorch's sizes, with padding that may differ between the sides."""
        sizes = []
        for axis in range(2):
            before, after = self.sides[axis], self.sides[axis + 2]
            reach = self.extents[axis] + before + after - self.dilation[axis] * (self.kernel[axis] - 1) - 1
            stride = self.stride[axis]
            size = (-(-reach // stride) if self.ceil else reach // stride) + 1 if reach >= 0 else 0
            if self.ceil and (size - 1) * stride >= self.extents[axis] + before:
                size -= 1
            sizes.append(size)
        return sizes

    def is_symmetric(self) -> bool:
        return self.sides[:2] == self.sides[2:]

    def filled(self, x: torch.Tensor, value: float) -> torch.Tensor:
        """The input with all that windows reach."""
        reach = [(o - 1) * s + d * (k - 1) + 1
                 for o, s, d, k in zip(self.outputs(), self.stride, self.dilation, self.kernel)]
        top, left = self.sides[:2]
        rest = [max(0, r - e - b) for r, e, b in zip(reach, self.extents, [top, left])]
        return padded(x, [top, left, *rest], value=value)

    def arguments(self, **more) -> str:
        return arguments(
            kernel=pair_text(self.kernel),
            stride=pair_text(self.stride) if self.stride != self.kernel else None,
            pad=sides_text(self.sides) if any(self.sides) else None,
            dilation=pair_text(self.dilation) if self.dilation != [1, 1] else None,
            ceil_mode=True if self.ceil else None,
            **more,
        )


def max_pool2d(draw: Draw, number: int) -> Case | None:
    window = Window(draw, number, dilated=True)
    if min(window.outputs()) < 1:
        return None

    def expected(x: torch.Tensor) -> torch.Tensor:
        options = {"stride": window.stride, "dilation": window.dilation}
        if window.is_symmetric():
            return F.max_pool2d(x, window.kernel, padding=window.sides[:2], ceil_mode=window.ceil, **options)
        rows, columns = window.outputs()
        return F.max_pool2d(window.filled(x, -inf), window.kernel, **options)[..., :rows, :columns]

    x = Values((draw.images(), draw.channels(), *window.extents), kind="odd" if number % 9 == 8 else "uniform")
    return Case(f"max_pool2d(x{window.arguments()})", expected, {"x": x})


def avg_pool2d(draw: Draw, number: int) -> Case | None:
    window = Window(draw, number, dilated=False)
    include = draw.chance(50)
    outputs = window.outputs()
    if min(outputs) < 1:
        return None

    def unequal(x: torch.Tensor) -> torch.Tensor:
        """By sums and counts, which PyTorch does not offer for padding that differs between the sides."""

        def summed(values: torch.Tensor) -> torch.Tensor:
            sums = F.avg_pool2d(values, window.kernel, window.stride, divisor_override=1)
            return sums[..., : outputs[0], : outputs[1]]

        if include:
            # What is counted: the input and its padding, but not what windows reach beyond.
            reach = [(o - 1) * s + k for o, s, k in zip(outputs, window.stride, window.kernel)]
            counted = padded(torch.ones_like(x), window.sides, value=1.0)
            rest = [max(0, r - e) for r, e in zip(reach, counted.shape[2:])]
            counts = summed(padded(counted, [0, 0, *rest]))
        else:
            counts = summed(window.filled(torch.ones_like(x), 0.0))
        return summed(window.filled(x, 0.0)) / counts

    def expected(x: torch.Tensor) -> torch.Tensor:
        by_counts = unequal(x)
        if not window.is_symmetric():
            return by_counts
        y = F.avg_pool2d(x, window.kernel, window.stride, window.sides[:2], window.ceil, include)
        assert torch.allclose(y, by_counts)
        return y

    x = Values((draw.images(), draw.channels(), *window.extents))
    given = window.arguments(count_include_pad=None if include else False)
    return Case(f"avg_pool2d(x{given})", expected, {"x": x})


def global_avg_pool(draw: Draw, number: int) -> Case:
    x = Values(draw.shape(), low=-1.0 + number % 3)
    return Case("global_avg_pool(x)", lambda x: x.mean((2, 3), keepdim=True), {"x": x})


def global_max_pool(draw: Draw, number: int) -> Case:
    x = Values(draw.shape(), -2.0, [1.0, -1.0][number % 2], "odd" if number % 9 == 8 else "uniform")
    # Not `amax`, which shares the gradient among all that are the largest.
    return Case("global_max_pool(x)", lambda x: F.adaptive_max_pool2d(x, 1), {"x": x})


OPS = {
    "max_pool2d": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "global_avg_pool": global_avg_pool,
    "global_max_pool": global_max_pool,
}
