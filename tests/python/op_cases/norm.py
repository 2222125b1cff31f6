"""Normalisations."""

import torch
import torch.nn.functional as F

from .case import Case, Draw, Values, arguments


def attributes(draw: Draw, affine: bool) -> tuple[float, bool]:
    """Epsilon, and whether there are a weight and a bias; the default in half of the cases."""
    return draw.of([1e-5, 1e-5, 1e-3, 0.1]), affine if draw.chance(50) else not affine


def values(draw: Draw, number: int, shape: tuple[int, ...]) -> Values:
    """Around 0, and far from it, where variances are differences of large numbers if one is careless."""
    low, high = [(-1.0, 1.0), (-5.0, 5.0), (9.0, 11.0), (-0.02, 0.01)][number % 4]
    return Values(shape, low, high)


def written(op: str, eps: float, affine: bool, default: bool, **more) -> str:
    given = arguments(
        **more,
        eps=eps if eps != 1e-5 else None,
        affine=affine if affine != default else None,
        name="op" if affine or op == "batch_norm" else None,
    )
    return f"{op}(x{given})"


def scale_and_shift(channels: int, affine: bool) -> dict[str, Values]:
    return {"weight": Values((channels,), -1.5, 1.5), "bias": Values((channels,))} if affine else {}


def batch_norm(draw: Draw, number: int) -> Case:
    shape = draw.shape()
    eps, affine = attributes(draw, True)
    parameters = scale_and_shift(shape[1], affine) | {
        "running_mean": Values((shape[1],)),
        "running_var": Values((shape[1],), 0.2, 3.0),
    }

    def expected(x, running_mean, running_var, weight=None, bias=None):
        return F.batch_norm(x, running_mean, running_var, weight, bias, eps=eps)

    return Case(written("batch_norm", eps, affine, True), expected, {"x": Values(shape)}, parameters)


def grouped(op: str, default: bool):
    def case(draw: Draw, number: int) -> Case:
        n, c, h, w = draw.shape()
        eps, affine = attributes(draw, default)
        groups = c if op == "instance_norm" else draw.of([1, 1, 2, 3, 4])
        if op == "group_norm":
            c = groups * draw.of([1, 2, 3, 4])

        def expected(x, weight=None, bias=None):
            # Not by F.instance_norm and F.group_norm, which refuse to normalise single values.
            return torch.group_norm(x, groups, weight, bias, eps)

        more = {"groups": groups} if op == "group_norm" else {}
        x = values(draw, number, (n, c, h, w))
        return Case(written(op, eps, affine, default, **more), expected, {"x": x}, scale_and_shift(c, affine))

    return case


def layer_norm(draw: Draw, number: int) -> Case:
    shape = draw.shape()
    eps, affine = attributes(draw, True)

    def expected(x, weight=None, bias=None):
        y = F.layer_norm(x.permute(0, 2, 3, 1), [shape[1]], weight, bias, eps)
        return y.permute(0, 3, 1, 2)

    x = values(draw, number, shape)
    return Case(written("layer_norm", eps, affine, True), expected, {"x": x}, scale_and_shift(shape[1], affine))


OPS = {
    "batch_norm": batch_norm,
    "instance_norm": grouped("instance_norm", False),
    "group_norm": grouped("group_norm", True),
    "layer_norm": layer_norm,
}
