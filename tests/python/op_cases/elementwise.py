"""Arithmetic and activations."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from .case import Case, Draw, Values, arguments, literal


def arithmetic(name: str, sign: str, function: Callable) -> Callable[[Draw, int], Case]:
    def case(draw: Draw, number: int) -> Case:
        shape = draw.shape()
        # Divisors keep away from 0, except for odd values.
        low = 0.5 if name == "div" else -1.0
        kind = "odd" if number % 9 == 8 else "uniform"
        if number % 7 == 6:
            scalar = draw.of([0.5, -3.0, 1.7, 100.0])
            swapped = draw.chance(50)
            call = f"{literal(scalar)} {sign} x" if swapped else f"x {sign} {literal(scalar)}"
            x = Values(shape, low, 2.0, kind)
            return Case(call, lambda x: function(scalar, x) if swapped else function(x, scalar), {"x": x})
        # Each size is that of the output, or 1 in one of the two.
        kept = [[size if draw.chance(75) else 1 for size in shape] for _ in range(2)]
        kept[0] = [size if other == 1 else mine for size, mine, other in zip(shape, kept[0], kept[1])]
        inputs = {"a": Values(tuple(kept[0]), kind=kind), "b": Values(tuple(kept[1]), low, 2.0, kind)}
        call = f"a {sign} b" if number % 2 else f"{name}(a, b)"
        return Case(call, function, inputs)

    return case


def activation(
    name: str,
    function: Callable,
    attributes: Callable[[Draw, int], dict] = lambda draw, number: {},
    ranges: list[tuple[float, float]] = [(-1.0, 1.0), (-8.0, 8.0), (-0.1, 0.1), (-30.0, 30.0)],
) -> Callable[[Draw, int], Case]:
    def case(draw: Draw, number: int) -> Case:
        given = attributes(draw, number)
        low, high = ranges[number % len(ranges)]
        x = Values(draw.shape(), low, high, "odd" if number % 7 == 6 else "uniform")
        return Case(f"{name}(x{arguments(**given)})", lambda x: function(x, **given), {"x": x})

    return case


def prelu(draw: Draw, number: int) -> Case:
    x = Values(draw.shape(), -3.0, 3.0, "odd" if number % 9 == 8 else "uniform")
    weight = Values((x.shape[1],), -0.5, 1.0)
    return Case('prelu(x, name: "op")', F.prelu, {"x": x}, {"weight": weight})


def clip_bounds(draw: Draw, number: int) -> dict:
    low, high = draw.of([None, -0.5, 0.0, -2.0]), draw.of([None, 0.25, 0.0, 6.0, -1.0])
    return {"min": 0.1 if low is None and high is None else low, "max": high}


def exponent(draw: Draw, number: int) -> dict:
    special = [2.0, 3.0, 0.5, -1.0, -0.5, -2.0, 0.0, 1.0, 4.0, 5.0, -3.0]
    return {"exponent": special[number // 2 % len(special)] if number % 2 else draw.of([1.5, 2.2, 0.4, -0.7, 7.0, 2.4])}


def optional(name: str, values: list) -> Callable[[Draw, int], dict]:
    """One attribute, left out at first."""
    return lambda draw, number: {} if number < 5 else {name: draw.of(values)}


def leaky_relu(x: torch.Tensor, slope: float = 0.01) -> torch.Tensor:
    return F.leaky_relu(x, slope)


def dropout(x: torch.Tensor, p: float = 0.5) -> torch.Tensor:
    return F.dropout(x, p, training=False)


def approximate(draw: Draw, number: int) -> dict:
    return [{}, {"approximate": "tanh"}, {"approximate": "none"}][number % 3]


def softplus_shape(draw: Draw, number: int) -> dict:
    given = optional("beta", [0.3, 1.0, 2.5, 10.0])(draw, number)
    return given | ({"threshold": draw.of([1.0, 5.0, 20.0])} if number % 3 == 2 else {})


POSITIVE = [(0.0, 1.0), (0.5, 2.0), (0.0, 100.0), (-1.0, 1.0), (1e-6, 1e-4)]

OPS = {
    "add": arithmetic("add", "+", lambda a, b: a + b),
    "sub": arithmetic("sub", "-", lambda a, b: a - b),
    "mul": arithmetic("mul", "*", lambda a, b: a * b),
    "div": arithmetic("div", "/", lambda a, b: a / b),
    "relu": activation("relu", F.relu),
    "leaky_relu": activation("leaky_relu", leaky_relu, optional("slope", [0.1, 0.2, 0.0, -0.5, 1.5])),
    "prelu": prelu,
    "sigmoid": activation("sigmoid", F.sigmoid),
    "hard_sigmoid": activation("hard_sigmoid", F.hardsigmoid),
    "hard_swish": activation("hard_swish", F.hardswish),
    "silu": activation("silu", F.silu),
    "tanh": activation("tanh", F.tanh),
    "dropout": activation("dropout", dropout, optional("p", [0.1, 0.25, 0.0, 1.0])),
    "gelu": activation("gelu", F.gelu, approximate),
    "elu": activation("elu", F.elu, optional("alpha", [0.1, 0.5, 1.7, -1.0])),
    "softplus": activation("softplus", F.softplus, softplus_shape),
    "clip": activation("clip", torch.clamp, clip_bounds),
    "exp": activation("exp", torch.exp, ranges=[(-1.0, 1.0), (-8.0, 8.0), (60.0, 88.0), (80.0, 90.0), (-110.0, -80.0)]),
    "log": activation("log", torch.log, ranges=POSITIVE),
    "sqrt": activation("sqrt", torch.sqrt, ranges=POSITIVE),
    "abs": activation("abs", torch.abs),
    "pow": activation("pow", torch.pow, exponent, [*POSITIVE, (-3.0, 3.0)]),
}
