"""Ops that move values."""

import torch

from .case import Case, Draw, Values, arguments, padded
from .conv import MODES

SIDES = ["top", "left", "bottom", "right"]


def concat(draw: Draw, number: int) -> Case:
    n, _, h, w = draw.shape()
    names = [f"x{i}" for i in range(draw.between(1 if number == 0 else 2, 4))]
    inputs = {name: Values((n, draw.channels(), h, w)) for name in names}
    return Case(f"concat({', '.join(names)})", lambda **xs: torch.cat(list(xs.values()), 1), inputs)


def slice_channels(draw: Draw, number: int) -> Case:
    n, c, h, w = draw.shape()
    start = draw.below(c)
    end = draw.between(start + 1, c)
    x = Values((n, c, h, w))
    return Case(f"slice(x, from: {start}, to: {end})", lambda x: x[:, start:end], {"x": x})


def crop(draw: Draw, number: int) -> Case | None:
    n, c, h, w = draw.shape()
    if number % 4 == 3:
        inner = [draw.between(1, h), draw.between(1, w)]
        if (h - inner[0]) % 2 or (w - inner[1]) % 2:
            return None
        top, left = (h - inner[0]) // 2, (w - inner[1]) // 2
        inputs = {"x": Values((n, c, h, w)), "like": Values((n, draw.channels(), *inner))}
        rows, columns = slice(top, top + inner[0]), slice(left, left + inner[1])
        return Case("crop(x, to: like)", lambda x, like: x[:, :, rows, columns], inputs)
    top, left, bottom, right = sides = draw.sides((4, 4))
    if top + bottom >= h or left + right >= w:
        return None
    given = arguments(**{name: side for name, side in zip(SIDES, sides) if side})
    return Case(f"crop(x{given})", lambda x: x[:, :, top : h - bottom, left : w - right], {"x": Values((n, c, h, w))})


def pad(draw: Draw, number: int) -> Case | None:
    n, c, h, w = draw.shape()
    mode = list(MODES)[number % 4]
    most = {"zero": (6, 6), "replicate": (6, 6), "reflect": (h - 1, w - 1), "circular": (h, w)}[mode]
    sides = draw.sides(most)
    value = draw.of([None, None, 0.5, -1.25, 3.0]) if mode == "zero" else None
    given = arguments(
        **{name: side for name, side in zip(SIDES, sides) if side}, mode=mode if mode != "zero" else None, value=value
    )

    def expected(x: torch.Tensor) -> torch.Tensor:
        return padded(x, sides, MODES[mode], value or 0.0)

    return Case(f"pad(x{given})", expected, {"x": Values((n, c, h, w))})


def reshape(draw: Draw, number: int) -> Case:
    n, c, h, w = draw.shape()
    sizes = [1, 1, 1]
    for factor in factors(c) + factors(h) + factors(w):
        sizes[draw.below(3)] *= factor
    written = list(sizes)
    if draw.chance(40):
        written[draw.below(3)] = -1
    x = Values((n, c, h, w))
    return Case(f"reshape(x, shape: {written})", lambda x: x.reshape(n, *sizes), {"x": x})


def factors(number: int) -> list[int]:
    """Prime factors."""
    found = []
    for p in [2, 3, 5, 7, 11, 13, 17, 19, 23]:
        while number % p == 0:
            found.append(p)
            number //= p
    return found


def flatten(draw: Draw, number: int) -> Case:
    x = Values(draw.shape())
    return Case("flatten(x)", lambda x: x.reshape(x.shape[0], -1, 1, 1), {"x": x})


def transpose(draw: Draw, number: int) -> Case:
    return Case("transpose(x)", lambda x: x.transpose(2, 3), {"x": Values(draw.shape())})


OPS = {
    "concat": concat,
    "slice": slice_channels,
    "crop": crop,
    "pad": pad,
    "reshape": reshape,
    "flatten": flatten,
    "transpose": transpose,
}
