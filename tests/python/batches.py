"""Training steps on batches of images that may differ in size: loss, gradients and running statistics as PyTorch has them, in float64.

Batch norm in training is PyTorch's on all pixels of the batch in a row; where images are of one size, on the batch as it is.

    python batches.py ../data/training/batches.json
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from op_cases.case import Values, described, kept
from op_cases.gradient import MOST_VALUES, four_dimensional
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)

Images = list[torch.Tensor]
Size = tuple[int, int, int]


class Net:
    """Parameters by path, with the running statistics after the step."""

    def __init__(self, parameters: dict[str, torch.Tensor]):
        self.parameters = parameters
        self.running: dict[str, torch.Tensor] = {}

    def batch_norm(self, images: Images, name: str, eps=1e-5, momentum=0.1, frozen=False) -> Images:
        weight, bias = (self.parameters.get(f"{name}.{suffix}") for suffix in ("weight", "bias"))
        running = [self.parameters[f"{name}.running_{which}"].clone() for which in ("mean", "var")]
        equal = len({image.shape for image in images}) == 1
        row = torch.cat(images) if equal else torch.cat([flat(image) for image in images], dim=3)
        row = F.batch_norm(row, *running, weight, bias, not frozen, momentum, eps)
        if not frozen:
            self.running |= {f"{name}.running_mean": running[0], f"{name}.running_var": running[1]}
        if equal:
            return list(row.split([image.shape[0] for image in images]))
        parts = row.split([image.numel() // image.shape[1] for image in images], dim=3)
        return [unflat(part, image.shape) for part, image in zip(parts, images)]

    def conv(self, images: Images, name: str, **attributes) -> Images:
        weight, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
        return [F.conv2d(image, weight, bias, **attributes) for image in images]

    def deconv(self, images: Images, name: str, **attributes) -> Images:
        weight = self.parameters[f"{name}.weight"]
        return [F.conv_transpose2d(image, weight, **attributes) for image in images]


def flat(image: torch.Tensor) -> torch.Tensor:
    return image.transpose(0, 1).reshape(1, image.shape[1], 1, -1)


def unflat(row: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    n, c, h, w = shape
    return row.reshape(c, n, h, w).transpose(0, 1)


@dataclass
class Case:
    """A network of images and of targets of the outputs' shape; the loss is the mean squared error."""

    body: str
    expected: Callable[[Net, Images], Images]
    channels: int
    out: int
    sizes: list[Size]
    parameters: dict[str, Values]
    low: float = -1.0
    high: float = 1.0
    frozen: list[str] = field(default_factory=list)

    def model(self) -> str:
        return (
            f"model m(image: f32[N, {self.channels}, H, W]) -> (y: f32[N, {self.out}, H, W]) {{ {self.body} }} "
            f"train(target: f32[N, {self.out}, H, W]) {{ loss mse(y, target); }}"
        )

    def to_json(self, number: int) -> dict:
        several = len(self.sizes) > 1
        named = [lambda name, k=k: f"{name}.{k}" if several else name for k in range(len(self.sizes))]
        inputs = {}
        for name, (n, h, w) in zip(named, self.sizes):
            inputs[name("image")] = Values((n, self.channels, h, w), self.low, self.high)
            inputs[name("target")] = Values((n, self.out, h, w))
        seed = f"batch/{number}"
        drawn = {name: values.draw(f"{seed}/{name}") for name, values in (inputs | self.parameters).items()}
        trained = [
            name
            for name in drawn
            if not (name.startswith("target") or ".running_" in name or name.split(".")[0] in self.frozen)
        ]
        for name in trained:
            drawn[name].requires_grad_(True)
        net = Net({name: drawn[name] for name in self.parameters})
        outputs = self.expected(net, [drawn[name("image")] for name in named])
        losses = [F.mse_loss(y, drawn[name("target")]) for name, y in zip(named, outputs)]
        loss = sum(losses) / len(losses)
        gradients = torch.autograd.grad(loss, [drawn[name] for name in trained])
        found = {"loss": loss.detach().reshape(1, 1, 1, 1)}
        for name, gradient in zip(trained, gradients):
            found |= {f"d.{name}": gradient} if name in inputs else {name: four_dimensional(gradient)}
        return {
            "model": self.model(),
            "inputs": described(inputs),
            "parameters": described(self.parameters),
            "frozen": self.frozen,
            "outputs": [{"name": name} | kept(value, MOST_VALUES) for name, value in found.items()],
            "running": [{"name": name} | kept(value.reshape(1, -1, 1, 1)) for name, value in net.running.items()],
        }


def norm(name: str, channels: int, affine=True) -> dict[str, Values]:
    parameters = {f"{name}.weight": Values((channels,), -1.5, 1.5), f"{name}.bias": Values((channels,))}
    statistics = {
        f"{name}.running_mean": Values((channels,)),
        f"{name}.running_var": Values((channels,), 0.2, 3.0),
    }
    return (parameters if affine else {}) | statistics


def conv(name: str, first: int, second: int, kernel: int) -> dict[str, Values]:
    """Without a bias, whose gradient is 0 before a batch norm."""
    bound = 1.0 / (second * kernel * kernel) ** 0.5
    return {f"{name}.weight": Values((first, second, kernel, kernel), -bound, bound)}


def alone(arguments: str, sizes: list[Size], channels: int, affine=True, **given) -> Case:
    body = f'return batch_norm(image{arguments}, name: "op");'
    attributes = {key: given.pop(key) for key in ("eps", "momentum") if key in given}
    return Case(
        body,
        lambda net, images: net.batch_norm(images, "op", **attributes),
        channels,
        channels,
        sizes,
        norm("op", channels, affine),
        **given,
    )


def small_net(sizes: list[Size], frozen: list[str]) -> Case:
    """A small U-Net."""
    body = """
        let a = conv2d(image, out: 6, kernel: 3, pad: 1, bias: false, name: "a") |> batch_norm(name: "an") |> relu;
        let b = max_pool2d(a, kernel: 2) |> conv2d(out: 8, kernel: 3, pad: 1, bias: false, name: "b");
        let c = batch_norm(b, momentum: 0.25, name: "bn") |> silu;
        let d = conv_transpose2d(c, out: 6, kernel: 2, stride: 2, bias: false, name: "up") |> batch_norm(affine: false, name: "dn");
        return concat(relu(d), a) |> conv2d(out: 3, kernel: 1, bias: false, name: "last") |> batch_norm(name: "yn") |> conv2d(out: 3, kernel: 3, pad: 1, name: "y");
    """

    def expected(net: Net, images: Images) -> Images:
        a = net.batch_norm(net.conv(images, "a", padding=1), "an", frozen="an" in frozen)
        a = [F.relu(image) for image in a]
        b = net.conv([F.max_pool2d(image, 2) for image in a], "b", padding=1)
        c = [F.silu(image) for image in net.batch_norm(b, "bn", momentum=0.25, frozen="bn" in frozen)]
        d = net.batch_norm(net.deconv(c, "up", stride=2), "dn", frozen="dn" in frozen)
        joined = [torch.cat([F.relu(up), skip], dim=1) for up, skip in zip(d, a)]
        return net.conv(net.batch_norm(net.conv(joined, "last"), "yn"), "y", padding=1)

    parameters = (
        conv("a", 6, 2, 3)
        | norm("an", 6)
        | conv("b", 8, 6, 3)
        | norm("bn", 8)
        | conv("up", 8, 6, 2)
        | norm("dn", 6, affine=False)
        | conv("last", 3, 12, 1)
        | norm("yn", 3)
        | conv("y", 3, 3, 3)
        | {"y.bias": Values((3,))}
    )
    return Case(" ".join(body.split()), expected, 2, 3, sizes, parameters, frozen=frozen)


CASES = [
    alone("", [(1, 9, 7)], 3),
    alone("", [(2, 9, 7)], 17),
    alone("", [(1, 5, 8), (1, 5, 8)], 3),
    alone("", [(1, 5, 8), (1, 9, 3)], 3),
    alone("", [(1, 1, 1), (1, 3, 2), (2, 4, 4)], 5),
    alone(", eps: 0.01, momentum: 0.3", [(1, 17, 11), (1, 4, 4), (1, 9, 20), (1, 8, 8)], 4, eps=0.01, momentum=0.3),
    alone(", affine: false, momentum: 1", [(3, 4, 5), (1, 6, 2)], 2, affine=False, momentum=1.0),
    alone(", momentum: 0.0", [(1, 3, 1)], 2, momentum=0.0),
    alone("", [(1, 1 + k % 3, 2 + k) for k in range(8)], 3),
    # A mean that is large next to the deviation.
    alone("", [(1, 9, 7), (1, 6, 10), (1, 3, 3)], 3, low=999.0, high=1001.0),
    alone(", eps: 1e-12", [(1, 9, 7), (1, 6, 10)], 3, eps=1e-12, low=-0.001, high=0.001),
    small_net([(1, 12, 10)], []),
    small_net([(1, 12, 10), (1, 12, 10)], []),
    small_net([(1, 12, 10), (1, 8, 18), (1, 20, 6), (1, 10, 10)], []),
    small_net([(2, 8, 6), (1, 4, 10)], []),
    small_net([(1, 12, 10), (1, 8, 18)], ["an", "dn"]),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="file to write")
    lines = [json.dumps(case.to_json(i), separators=(",", ":")) for i, case in enumerate(CASES)]
    parser.parse_args().out.write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    main()
