"""Convolutions."""

import torch
import torch.nn.functional as F

from .case import Case, Draw, Values, arguments, padded, pair_text, sides_text

# Names of padding modes here, and PyTorch's.
MODES = {"zero": "constant", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


def conv2d(draw: Draw, number: int) -> Case | None:
    n, (h, w) = draw.images(), draw.extents(number)
    groups, cin, cout = channels(draw)
    kernel, stride, dilation = draw.pair(1, 5), draw.pair(1, 3), draw.pair(1, 3)
    sides, bias = draw.sides((4, 4)), draw.chance(70)
    mode = draw.of(list(MODES)) if number % 2 else "zero"
    fits = {"reflect": max(sides[0], sides[2]) < h and max(sides[1], sides[3]) < w,
            "circular": max(sides[0], sides[2]) <= h and max(sides[1], sides[3]) <= w}
    extents = [h + sides[0] + sides[2], w + sides[1] + sides[3]]
    if not fits.get(mode, True) or any(e < d * (k - 1) + 1 for e, d, k in zip(extents, dilation, kernel)):
        return None

    def expected(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        x = padded(x, sides, MODES[mode])
        return F.conv2d(x, weight, bias, stride=stride, dilation=dilation, groups=groups)

    given = arguments(
        out=cout,
        kernel=pair_text(kernel),
        stride=pair_text(stride) if stride != [1, 1] else None,
        pad=sides_text(sides) if any(sides) else None,
        dilation=pair_text(dilation) if dilation != [1, 1] else None,
        groups=groups if groups > 1 else None,
        bias=None if bias else False,
        pad_mode=mode if mode != "zero" else None,
        name="op",
    )
    parameters = {"weight": Values((cout, cin // groups, *kernel))}
    if bias:
        parameters["bias"] = Values((cout,))
    return Case(f"conv2d(x{given})", expected, {"x": Values((n, cin, h, w))}, parameters)


def conv_transpose2d(draw: Draw, number: int) -> Case | None:
    n, (h, w) = draw.images(), draw.extents(number)
    groups, cin, cout = channels(draw)
    kernel, stride, dilation = draw.pair(1, 5), draw.pair(1, 3), draw.pair(1, 3)
    more = [draw.below(max(s, d)) if draw.chance(40) else 0 for s, d in zip(stride, dilation)]
    sides, bias = draw.sides((3, 3)), draw.chance(70)
    # PyTorch drops as much on both sides of what the taps reach; dropped afterwards, it may be unequal.
    full = [(e - 1) * s + d * (k - 1) + 1 + m for e, s, d, k, m in zip([h, w], stride, dilation, kernel, more)]
    if full[0] <= sides[0] + sides[2] or full[1] <= sides[1] + sides[3]:
        return None

    def expected(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        options = {"stride": stride, "output_padding": more, "groups": groups, "dilation": dilation}
        if sides[:2] == sides[2:]:
            return F.conv_transpose2d(x, weight, bias, padding=sides[:2], **options)
        y = F.conv_transpose2d(x, weight, bias, **options)
        return y[:, :, sides[0] : full[0] - sides[2], sides[1] : full[1] - sides[3]]

    given = arguments(
        out=cout,
        kernel=pair_text(kernel),
        stride=pair_text(stride) if stride != [1, 1] else None,
        pad=sides_text(sides) if any(sides) else None,
        output_pad=pair_text(more) if any(more) else None,
        dilation=pair_text(dilation) if dilation != [1, 1] else None,
        groups=groups if groups > 1 else None,
        bias=None if bias else False,
        name="op",
    )
    parameters = {"weight": Values((cin, cout // groups, *kernel))}
    if bias:
        parameters["bias"] = Values((cout,))
    return Case(f"conv_transpose2d(x{given})", expected, {"x": Values((n, cin, h, w))}, parameters)


def channels(draw: Draw) -> tuple[int, int, int]:
    """Groups, channels in and out; some are depthwise."""
    kind = draw.below(4)
    if kind == 0:
        groups = draw.channels()
        return groups, groups, groups * draw.of([1, 1, 2])
    groups = draw.of([2, 3, 4]) if kind == 1 else 1
    return groups, groups * draw.channels(), groups * draw.of([1, 2, 3, 5, 8, 17])


OPS = {"conv2d": conv2d, "conv_transpose2d": conv_transpose2d}
