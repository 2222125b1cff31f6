"""Losses."""

import torch
import torch.nn.functional as F

from .case import Case, Draw, Values, arguments

REDUCTIONS = [None, "mean", "sum"]


def one(value: torch.Tensor) -> torch.Tensor:
    return value.reshape(1, 1, 1, 1)


def drawn_shape(draw: Draw, number: int) -> tuple[int, int, int, int]:
    """In every fourth case few pixels, so that one image or channel may be all that there is."""
    return draw.images(), draw.channels(), *draw.extents(number)


def of_difference(op: str, function):
    def case(draw: Draw, number: int) -> Case:
        shape, reduction = drawn_shape(draw, number), REDUCTIONS[number % 3]
        # Whole numbers are equal here and there.
        low, high, kind = [(-1.0, 1.0, "uniform"), (-3.0, 3.0, "whole"), (100.0, 101.0, "uniform")][number // 3 % 3]
        x, target = Values(shape, low, high, kind), Values(shape, low, high, kind)
        mode = reduction or "mean"
        return Case(
            f"{op}(x, target{arguments(reduction=reduction)})",
            lambda x, target: one(function(x, target, reduction=mode)),
            {"x": x, "target": target},
        )

    return case


def bce_with_logits(draw: Draw, number: int) -> Case:
    shape, reduction = drawn_shape(draw, number), REDUCTIONS[number % 3]
    reach = draw.of([1.0, 4.0, 15.0, 60.0])
    target = Values(shape, 0.0, 2.0, "whole") if draw.chance(50) else Values(shape, 0.0, 1.0)
    weights = [None, draw.of([0.5, 2.0, 7.25]), [0.25 * draw.between(1, 12) for _ in range(shape[1])]][number // 2 % 3]

    def expected(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        pos_weight = None if weights is None else torch.tensor(weights, dtype=torch.float64).reshape(-1, 1, 1)
        return one(
            F.binary_cross_entropy_with_logits(x, target, reduction=reduction or "mean", pos_weight=pos_weight)
        )

    given = arguments(pos_weight=weights, reduction=reduction)
    return Case(f"bce_with_logits(x, target{given})", expected, {"x": Values(shape, -reach, reach), "target": target})


def dice(draw: Draw, number: int) -> Case:
    shape, reduction = drawn_shape(draw, number), REDUCTIONS[number % 3]
    smooth, eps = draw.of([None, 1.0, 0.5, 100.0]), draw.of([None, 1e-5, 3.0])
    # Now and then nothing is there to be found.
    most = 0.0 if number % 7 == 6 else 2.0
    target = Values(shape, 0.0, most, "whole") if draw.chance(60) else Values(shape, 0.0, most / 2)

    def expected(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        shared, both = (x * target).sum((0, 2, 3)), (x + target).sum((0, 2, 3))
        above, below = 2 * shared + (smooth or 0.0), both + (smooth or 0.0)
        costs = 1 - above / below.clamp_min(eps or 1e-7)
        return one(costs.sum() if reduction == "sum" else costs.mean())

    given = arguments(smooth=smooth, eps=eps, reduction=reduction)
    return Case(f"dice(x, target{given})", expected, {"x": Values(shape, 0.0, 1.0), "target": target})


def cross_entropy(draw: Draw, number: int) -> Case:
    n, c, h, w = drawn_shape(draw, number)
    reduction = REDUCTIONS[number % 3]
    reach = draw.of([1.0, 5.0, 40.0])
    weight = [0.25 * draw.between(0, 12) for _ in range(c)] if draw.chance(50) else None
    # No pixel is ignored, or those that have no class, or those of one of the classes.
    ignore, lowest = draw.of([(None, 0), (-1, -1), (-2, -2), (draw.below(c), 0)])
    if lowest == -2:
        ignore, lowest = -100, 0

    def expected(x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        weights = None if weight is None else torch.tensor(weight, dtype=torch.float64)
        classes = target.detach()[:, 0].long()
        ignored = -100 if ignore is None else ignore
        loss = F.cross_entropy(x, classes, weights, ignore_index=ignored, reduction=reduction or "mean")
        return one(loss)

    given = arguments(weight=weight, ignore_index=ignore, reduction=reduction)
    return Case(
        f"cross_entropy(x, target{given})",
        expected,
        {"x": Values((n, c, h, w), -reach, reach), "target": Values((n, 1, h, w), float(lowest), float(c), "whole")},
    )


OPS = {
    "mse": of_difference("mse", F.mse_loss),
    "l1": of_difference("l1", F.l1_loss),
    "bce_with_logits": bce_with_logits,
    "dice": dice,
    "cross_entropy": cross_entropy,
}
