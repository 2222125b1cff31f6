"""Twenty steps of each optimizer on two small tensors, in float64, for runtime/src/optimizer/testdata.

SGD and AdamW, the cosine and clipping are PyTorch's. Lion (Chen et al. 2023, algorithm 2), the cautious variants (Liang et al.
2024, algorithm 2) and online subspace descent (Liang et al. 2024, equations 4 to 6) are written from the papers' formulas, with
autograd for the subspace's loss and LAPACK for its beginning.

    python optimizers.py ../../runtime/src/optimizer/testdata/steps.json
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch

STEPS = 20
# Steps after which weights are kept.
KEPT = [1, 2, 7, STEPS]
SHAPES = [[6, 2, 3, 2], [5]]
# The loss is `pull / 2 · ‖w‖²` and a part that is linear in w and another in each step.
PULL = 0.5

torch.set_default_dtype(torch.float64)


class Sgd:
    """PyTorch's."""

    def __init__(self, w, lr, momentum=0.0, nesterov=False, weight_decay=0.0):
        self.w = w
        self.torch = torch.optim.SGD([w], lr, momentum, 0.0, weight_decay, nesterov)

    def step(self, g, rate, t):
        self.torch.param_groups[0]["lr"] = rate
        self.w.grad = g.clone()
        self.torch.step()


class AdamW(Sgd):
    """PyTorch's."""

    def __init__(self, w, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.w = w
        self.torch = torch.optim.AdamW([w], lr, tuple(betas), eps, weight_decay)


class Direction:
    """What the others are made of: an update for a gradient, without rate and decay."""

    coupled = 0.0
    decoupled = 0.0


class SgdDirection(Direction):
    def __init__(self, shape, momentum=0.0, nesterov=False, weight_decay=0.0):
        self.mu, self.nesterov, self.coupled, self.m = momentum, nesterov, weight_decay, None

    def update(self, g, t, _):
        if self.mu == 0:
            return g
        self.m = g if self.m is None else self.mu * self.m + g
        return g + self.mu * self.m if self.nesterov else self.m


class AdamWDirection(Direction):
    def __init__(self, shape, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.betas, self.eps, self.decoupled = betas, eps, weight_decay
        self.m = self.v = 0.0

    def update(self, g, t, _):
        b1, b2 = self.betas
        self.m = b1 * self.m + (1 - b1) * g
        self.v = b2 * self.v + (1 - b2) * g**2
        return self.m / (1 - b1**t) / ((self.v / (1 - b2**t)) ** 0.5 + self.eps)


class LionDirection(Direction):
    def __init__(self, shape, betas=(0.9, 0.99), weight_decay=0.0):
        self.betas, self.decoupled, self.m = betas, weight_decay, 0.0

    def update(self, g, t, _):
        b1, b2 = self.betas
        c = b1 * self.m + (1 - b1) * g
        self.m = b2 * self.m + (1 - b2) * g
        return torch.sign(c)


class Wrapper(Direction):
    @property
    def coupled(self):
        return self.inner.coupled

    @property
    def decoupled(self):
        return self.inner.decoupled


class Cautious(Wrapper):
    def __init__(self, shape, inner):
        self.inner = direction(shape, inner)

    def update(self, g, t, ratio):
        u = self.inner.update(g, t, ratio)
        phi = (u * g > 0).to(g.dtype)
        return u * phi * (phi.numel() / (phi.sum() + 1))


class Subspace(Wrapper):
    def __init__(self, shape, inner, rank, lr=0.005, penalty=0.1):
        self.shape = (shape[0], math.prod(shape[1:]))
        self.there = rank < min(self.shape)
        self.rank, self.lr, self.penalty = rank, lr, penalty
        self.inner = direction([rank, self.shape[1]] if self.there else shape, inner)
        self.p = None

    def update(self, g, t, ratio):
        if not self.there:
            return self.inner.update(g, t, ratio)
        matrix = g.reshape(self.shape)
        first = self.p is None
        if first:
            left = np.linalg.svd(matrix.numpy())[0][:, : self.rank]
            largest = left[np.abs(left).argmax(axis=0), np.arange(self.rank)]
            self.p = torch.tensor(left * np.sign(largest), requires_grad=True)
            self.adam = torch.optim.Adam([self.p], self.lr)
        with torch.no_grad():
            u = self.p @ self.inner.update(self.p.T @ matrix, t, ratio)
        if not first:
            normalised = matrix / matrix.norm()
            rest = self.p @ (self.p.T @ normalised) - normalised
            gram = self.p.T @ self.p - torch.eye(self.rank)
            self.adam.zero_grad()
            ((rest**2).sum() + self.penalty * (gram**2).sum()).backward()
            self.adam.param_groups[0]["lr"] = self.lr * ratio
            self.adam.step()
        return u.reshape(g.shape)


KINDS = {
    "sgd": SgdDirection,
    "adamw": AdamWDirection,
    "lion": LionDirection,
    "cautious": Cautious,
    "subspace": Subspace,
}


def direction(shape, spec):
    options = dict(spec)
    kind = options.pop("kind")
    if kind != "subspace":
        # The rate of the weights, which is the caller's.
        options.pop("lr", None)
    return KINDS[kind](shape, **options)


class Directed:
    """Decay, and a step along an update."""

    def __init__(self, w, spec):
        self.w, self.direction, self.lr = w, direction(list(w.shape), spec), lr_of(spec)

    def step(self, g, rate, t):
        w, d = self.w, self.direction
        u = d.update(g + d.coupled * w, t, rate / self.lr)
        w.copy_(w * (1 - rate * d.decoupled) - rate * u)


def optimizer(w, spec):
    options = {k: v for k, v in spec.items() if k != "kind"}
    if spec["kind"] == "sgd":
        return Sgd(w, **options)
    if spec["kind"] == "adamw":
        return AdamW(w, **options)
    return Directed(w, spec)


def lr_of(spec):
    return lr_of(spec["inner"]) if "inner" in spec else spec["lr"]


def rates(spec):
    """Learning rates of all steps."""
    lr, schedule = lr_of(spec["optimizer"]), spec.get("schedule", {})
    if "cosine" in schedule:
        dummy = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(dummy, schedule["cosine"], schedule["min"])
        found = []
        for _ in range(STEPS):
            found.append(cosine.get_last_lr()[0])
            dummy.step()
            cosine.step()
    else:
        found = [lr] * STEPS
    warmup = schedule.get("warmup", 0)
    return [found[0] * (t + 1) / warmup for t in range(warmup)] + found[: STEPS - warmup]


SGD = {"kind": "sgd", "lr": 0.1}
NESTEROV = {"kind": "sgd", "lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}
ADAMW = {"kind": "adamw", "lr": 0.02, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.01}
ADAMW_2 = {"kind": "adamw", "lr": 0.05, "betas": [0.8, 0.95], "eps": 1e-3, "weight_decay": 0.2}
LION = {"kind": "lion", "lr": 0.02, "betas": [0.9, 0.99], "weight_decay": 0.1}


def cautious(inner):
    return {"kind": "cautious", "inner": inner}


def subspace(inner, **options):
    return {"kind": "subspace", "inner": inner, "rank": 3, "lr": 0.01, "penalty": 0.1} | options


CASES = [
    {"optimizer": SGD},
    {"optimizer": SGD | {"momentum": 0.9}},
    {"optimizer": NESTEROV},
    {"optimizer": ADAMW},
    {"optimizer": ADAMW_2},
    {"optimizer": LION},
    {"optimizer": cautious(NESTEROV)},
    {"optimizer": cautious(ADAMW_2)},
    {"optimizer": cautious(LION)},
    {"optimizer": subspace(SGD | {"momentum": 0.9, "weight_decay": 0.1})},
    {"optimizer": subspace(ADAMW)},
    {"optimizer": subspace(LION, rank=2, penalty=1.0)},
    {"optimizer": subspace(cautious(ADAMW_2))},
    {"optimizer": cautious(subspace(ADAMW))},
    {"optimizer": ADAMW, "schedule": {"cosine": STEPS, "min": 1e-3}},
    {"optimizer": subspace(ADAMW), "schedule": {"warmup": 5, "cosine": 15, "min": 1e-3}},
    {"optimizer": SGD | {"momentum": 0.9}, "clip": 2.0},
]


def run(case, start, pushes):
    """Weights after some of the steps."""
    weights = [torch.tensor(w, dtype=torch.float64) for w in start]
    optimizers = [optimizer(w, case["optimizer"]) for w in weights]
    kept = []
    for t, (rate, push) in enumerate(zip(rates(case), pushes), 1):
        gradients = [PULL * w + torch.tensor(p, dtype=torch.float64) for w, p in zip(weights, push)]
        if "clip" in case:
            dummies = [torch.zeros_like(g, requires_grad=True) for g in gradients]
            for dummy, g in zip(dummies, gradients):
                dummy.grad = g
            torch.nn.utils.clip_grad_norm_(dummies, case["clip"])
        for o, g in zip(optimizers, gradients):
            o.step(g, rate, t)
        if t in KEPT:
            kept.append([[float(f"{v:.9g}") for v in w.ravel().tolist()] for w in weights])
    return kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="file to write")
    args = parser.parse_args()

    random = np.random.default_rng(1)

    def drawn():
        return [random.normal(size=shape).round(3).astype(np.float32) for shape in SHAPES]

    def flat(tensors):
        return [[float(str(v)) for v in tensor.ravel()] for tensor in tensors]

    start, pushes = drawn(), [drawn() for _ in range(STEPS)]
    head = {"pull": PULL, "shapes": SHAPES, "kept": KEPT, "start": flat(start), "pushes": [flat(p) for p in pushes]}
    lines = [f'"{key}":{json.dumps(value, separators=(",", ":"))}' for key, value in head.items()]
    cases = [case | {"weights": run(case, start, pushes)} for case in CASES]
    # A case a line, so that differences can be looked at.
    lines.append('"cases":[\n' + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]")
    args.out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
