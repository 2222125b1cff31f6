"""Twenty steps of a small U-Net with batch norms on a batch of four images of unequal size, in float64, for data/training/unet.

The statistics of a batch norm are those of all pixels of all four images, its gradient autograd's; the loss is the mean of
the images' mean squared errors. Optimizers are those of optimizers.py.

    python training.py ../data/training/unet
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file

from optimizers import ADAMW, LION, SGD, STEPS, cautious, optimizer, rates, subspace

SIZES = [(16, 12), (20, 24), (12, 28), (24, 16)]
MOMENTUM, EPS = 0.1, 1e-5

MOMENTUM_SGD = SGD | {"momentum": 0.9}
ADAM = ADAMW | {"lr": 0.005}
SLOW_LION = LION | {"lr": 0.002}
CASES = {
    "sgd(lr: 0.1)": SGD,
    "sgd(lr: 0.1, momentum: 0.9)": MOMENTUM_SGD,
    "sgd(lr: 0.1, momentum: 0.9, nesterov: true)": MOMENTUM_SGD | {"nesterov": True},
    "adamw(lr: 0.005, weight_decay: 0.01)": ADAM,
    "lion(lr: 0.002, weight_decay: 0.1)": SLOW_LION,
    "cautious(sgd(lr: 0.1, momentum: 0.9))": cautious(MOMENTUM_SGD),
    "cautious(adamw(lr: 0.005, weight_decay: 0.01))": cautious(ADAM),
    "cautious(lion(lr: 0.002, weight_decay: 0.1))": cautious(SLOW_LION),
    "subspace(adamw(lr: 0.005, weight_decay: 0.01), rank: 3, lr: 0.01)": subspace(ADAM),
    "subspace(sgd(lr: 0.1, momentum: 0.9), rank: 3, lr: 0.01)": subspace(MOMENTUM_SGD),
}


def start(random) -> dict[str, np.ndarray]:
    weights = {}
    for block, channels in ("down", (3, 8)), ("low", (8, 12)), ("up", (20, 8)):
        for conv, (i, o) in ("a", channels), ("b", (channels[1], channels[1])):
            weights[f"{block}.{conv}.weight"] = random.normal(size=(o, i, 3, 3)) * (2 / (9 * i)) ** 0.5
            norm = f"{block}.{conv}_norm"
            weights[f"{norm}.weight"] = 1 + 0.2 * random.normal(size=o)
            weights[f"{norm}.bias"] = 0.2 * random.normal(size=o)
            weights[f"{norm}.running_mean"], weights[f"{norm}.running_var"] = np.zeros(o), np.ones(o)
    weights["head.weight"] = random.normal(size=(2, 8, 1, 1)) * 0.3
    weights["head.bias"] = np.zeros(2)
    return {name: values.astype(np.float32) for name, values in weights.items()}


class Network:
    def __init__(self, weights):
        self.w = {name: torch.tensor(values, dtype=torch.float64) for name, values in weights.items()}
        self.trained = {name: w.requires_grad_() for name, w in self.w.items() if "running" not in name}

    def batch_norm(self, images, name):
        pixels = torch.cat([image.flatten(1) for image in images], 1)
        mean, variance = pixels.mean(1), pixels.var(1, correction=0)
        unbiased = pixels.var(1, correction=1)
        for running, found in ("running_mean", mean), ("running_var", unbiased):
            kept = self.w[f"{name}.{running}"]
            self.w[f"{name}.{running}"] = (1 - MOMENTUM) * kept + MOMENTUM * found.detach()
        scale = self.w[f"{name}.weight"] / (variance + EPS) ** 0.5
        shift = self.w[f"{name}.bias"] - mean * scale
        return [image * scale[:, None, None] + shift[:, None, None] for image in images]

    def double(self, images, name):
        for conv in "a", "b":
            images = [F.conv2d(x[None], self.w[f"{name}.{conv}.weight"], padding=1)[0] for x in images]
            images = [F.relu(x) for x in self.batch_norm(images, f"{name}.{conv}_norm")]
        return images

    def loss(self, images, targets):
        high = self.double(images, "down")
        low = self.double([F.max_pool2d(x[None], 2)[0] for x in high], "low")
        up = [F.interpolate(x[None], scale_factor=2)[0] for x in low]
        y = self.double([torch.cat(pair) for pair in zip(up, high)], "up")
        out = [F.conv2d(x[None], self.w["head.weight"], self.w["head.bias"])[0] for x in y]
        return sum(F.mse_loss(x, target) for x, target in zip(out, targets)) / len(images)


def run(spec, weights, images, targets):
    """The loss before each step, and running statistics after the last."""
    network, losses = Network(weights), []
    # What PyTorch's and the papers' rules change in place.
    plain = {name: w.detach() for name, w in network.trained.items()}
    rules = {name: optimizer(w, spec) for name, w in plain.items()}
    for t, rate in enumerate(rates({"optimizer": spec}), 1):
        loss = network.loss(images, targets)
        gradients = torch.autograd.grad(loss, list(network.trained.values()))
        for rule, gradient in zip(rules.values(), gradients):
            rule.step(gradient, rate, t)
        losses.append(loss.item())
    running = {name: w.tolist() for name, w in network.w.items() if name.startswith("up.b_norm.running")}
    return losses, running


def rounded(values):
    return [float(f"{value:.7g}") for value in values]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write to")
    out = parser.parse_args().out

    random = np.random.default_rng(2)
    weights = start(random)
    save_file(weights, out / "start.safetensors")
    arrays = {"image": [], "target": []}
    for i, (h, w) in enumerate(SIZES):
        image = random.random((1, 3, h, w), dtype=np.float32)
        target = np.stack([image[0, 0] * image[0, 1], image[0, 2] - image[0, 0]])[None]
        for name, array in ("image", image), ("target", target.astype(np.float32)):
            (out / name).mkdir(exist_ok=True)
            np.save(out / name / f"{i}.npy", array)
            arrays[name].append(torch.tensor(array[0], dtype=torch.float64))
    cases = []
    for text, spec in CASES.items():
        losses, running = run(spec, weights, arrays["image"], arrays["target"])
        running = {name: rounded(values) for name, values in running.items()}
        cases.append({"optimizer": text, "losses": rounded(losses), "running": running})
    assert all(len(case["losses"]) == STEPS for case in cases)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    (out / "expected.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
