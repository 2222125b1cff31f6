"""Reductions over axes, and products of matrices."""

import torch
import torch.nn.functional as F

from .case import Case, Draw, Values, arguments

AXES = [[1], [2], [3], [2, 3], [1, 2], [1, 3], [1, 2, 3]]


def softmax(draw: Draw, number: int) -> Case:
    low, high = [(-1.0, 1.0), (-20.0, 20.0), (-200.0, 200.0), (100.0, 101.0)][number % 4]
    x = Values(draw.shape(), low, high, "odd" if number % 9 == 8 else "uniform")
    return Case("softmax(x)", lambda x: F.softmax(x, 1), {"x": x})


def argmax(draw: Draw, number: int) -> Case:
    x = Values(draw.shape(), -3.0, 3.0, ["uniform", "whole", "odd"][number % 3])
    return Case("argmax(x)", first_of_largest, {"x": x})


def first_of_largest(x: torch.Tensor) -> torch.Tensor:
    """PyTorch's argmax, which does not promise the first of equals: their number is the smallest that it may be."""
    largest = torch.max(x, 1, keepdim=True).values
    is_largest = torch.where(largest.isnan(), x.isnan(), x == largest)
    index = torch.arange(x.shape[1]).reshape(1, -1, 1, 1)
    first = torch.where(is_largest, index, x.shape[1]).amin(1, keepdim=True)
    assert torch.equal(is_largest.gather(1, x.argmax(1, keepdim=True)), torch.ones_like(first, dtype=torch.bool))
    return first.to(torch.float64)


def over_axes(op: str, function):
    def case(draw: Draw, number: int) -> Case:
        axes = AXES[number % len(AXES)]
        low = [-1.0, 0.0, 5.0][number % 3]
        x = Values(draw.shape(), low, low + 2.0)
        return Case(f"{op}(x, axes: {axes})", lambda x: function(x, axes, keepdim=True), {"x": x})

    return case


def linear(draw: Draw, number: int) -> Case:
    n, k, out = draw.of([1, 1, 2, 3, 5]), draw.of([1, 2, 3, 7, 16, 17, 33, 100]), draw.of([1, 2, 3, 8, 10, 17, 40])
    bias = draw.chance(70)

    def expected(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        return F.linear(x.flatten(1), weight, bias)[:, :, None, None]

    given = arguments(out=out, bias=None if bias else False, name="op")
    parameters = {"weight": Values((out, k))} | ({"bias": Values((out,))} if bias else {})
    return Case(f"linear(x{given})", expected, {"x": Values((n, k, 1, 1))}, parameters)


def matmul(draw: Draw, number: int) -> Case:
    n, c, h, w = draw.shape()
    k = draw.of([1, 2, 3, 5, 8, 17, 30])
    # Images and channels are equal, or 1 in one of the two.
    sizes = [[1 if draw.chance(20) else size for size in (n, c)] for _ in range(2)]
    return Case(
        "matmul(a, b)",
        lambda a, b: a @ b,
        {"a": Values((*sizes[0], h, k)), "b": Values((*sizes[1], k, w))},
    )


OPS = {
    "softmax": softmax,
    "argmax": argmax,
    "mean": over_axes("mean", torch.mean),
    "sum": over_axes("sum", torch.sum),
    "linear": linear,
    "matmul": matmul,
}
