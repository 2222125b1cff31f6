"""What a case is, how its values are drawn, and how it is written."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

# Most values of an output that are kept; of larger ones some, and a sum over all.
MOST_VALUES = 96

MASK = (1 << 64) - 1
# Most numbers that are drawn for a case.
MOST_DRAWS = 256
# What arithmetic treats apart; but not the largest numbers, since errors are relative to the largest value.
ODD = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-42, -1e-42, 1.0]


@dataclass(frozen=True)
class Values:
    """A tensor whose values are drawn: uniform in [low, high), whole numbers among them, or some of them odd."""

    shape: tuple[int, ...]
    low: float = -1.0
    high: float = 1.0
    kind: str = "uniform"

    def draw(self, seed: str) -> torch.Tensor:
        """As `Values::draw` of tests/src/op_cases.rs, bit for bit."""
        bits = splitmix(fnv(seed), int(np.prod(self.shape)))
        share = (bits >> np.uint64(40)).astype(np.float64) / 2.0**24
        values = self.low + (self.high - self.low) * share
        if self.kind == "whole":
            values = np.floor(values)
        values = values.astype(np.float32)
        if self.kind == "odd":
            odd = np.array(ODD, np.float32)[(bits & np.uint64(7)).astype(np.int64)]
            values = np.where(bits >> np.uint64(3) & np.uint64(3) == 0, odd, values)
        return torch.from_numpy(values.reshape(self.shape)).to(torch.float64)


def fnv(text: str) -> int:
    """FNV-1a."""
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = (state ^ byte) * 0x100000001B3 & MASK
    return state


def splitmix(state: int, count: int) -> np.ndarray:
    """The first numbers that SplitMix64 gives from a state."""
    with np.errstate(over="ignore"):
        z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return z ^ z >> np.uint64(31)


@dataclass
class Case:
    """A model of one call, and the function that it is to compute: of the inputs, then the parameters, by name."""

    call: str
    expected: Callable[..., torch.Tensor]
    inputs: dict[str, Values]
    parameters: dict[str, Values] = field(default_factory=dict)

    def to_json(self, op: str, number: int) -> dict:
        def drawn(tensors: dict[str, Values]) -> dict[str, torch.Tensor]:
            return {name: values.draw(f"{op}/{number}/{name}") for name, values in tensors.items()}

        output = self.expected(**drawn(self.inputs), **drawn(self.parameters))
        inputs = ", ".join(f"{name}: {type_of(values.shape)}" for name, values in self.inputs.items())
        return {
            "model": f"model m({inputs}) -> (y: {type_of(output.shape)}) {{ return {self.call}; }}",
            "inputs": described(self.inputs),
            "parameters": described(self.parameters),
            "output": kept(output),
        }


def type_of(shape: tuple[int, ...]) -> str:
    return f"f32{list(shape)}"


def described(tensors: dict[str, Values]) -> list[dict]:
    return [
        {"name": name, "shape": v.shape, "low": v.low, "high": v.high, "kind": v.kind} for name, v in tensors.items()
    ]


def kept(output: torch.Tensor, most: int = MOST_VALUES) -> dict:
    """The shape, the largest finite magnitude, values, and the sum over all finite ones with random signs, which
    shows values in wrong places."""
    with np.errstate(over="ignore"):
        values = output.contiguous().to(torch.float64).numpy().ravel().astype(np.float32).astype(np.float64)
    count = values.size
    at = np.arange(min(count, most)) * (7919 if count > most else 1) % count
    finite = np.where(np.isfinite(values), values, 0.0)
    signs = np.where(splitmix(0, count) >> np.uint64(63) == 0, 1.0, -1.0)
    return {
        "shape": list(output.shape),
        "largest": number(np.abs(finite).max()),
        "sum": number((finite * signs).sum()),
        "values": [number(v) for v in values[at]],
    }


def number(value: float) -> float | str:
    """In as many digits as the comparison needs; what JSON has no number for as text."""
    return float(f"{value:.7g}") if np.isfinite(value) else str(float(value))


class Draw:
    """Shapes and attributes, drawn from a seed."""

    def __init__(self, seed: str):
        self.bits = iter(splitmix(fnv(seed), MOST_DRAWS).tolist())

    def below(self, n: int) -> int:
        return (next(self.bits) >> 33) * n >> 31

    def between(self, low: int, high: int) -> int:
        """Both included."""
        return low + self.below(high - low + 1)

    def of(self, items: list):
        return items[self.below(len(items))]

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def extent(self) -> int:
        return self.of([1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17, 19, 23])

    def extents(self, number: int) -> list[int]:
        """Rows and columns; in every fourth case smaller than most kernels."""
        return [self.between(1, 3), self.between(1, 3)] if number % 4 == 0 else [self.extent(), self.extent()]

    def channels(self) -> int:
        return self.of([1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 17])

    def images(self) -> int:
        return self.of([1, 1, 1, 2, 3])

    def shape(self) -> tuple[int, int, int, int]:
        return self.images(), self.channels(), self.extent(), self.extent()

    def pair(self, low: int, high: int) -> list[int]:
        """One number for both axes in half of the cases."""
        y = self.between(low, high)
        return [y, y if self.chance(50) else self.between(low, high)]

    def sides(self, most: tuple[int, int]) -> list[int]:
        """Top, left, bottom, right, up to `most` along each axis; often symmetric."""
        top, left = self.between(0, most[0]), self.between(0, most[1])
        if self.chance(60):
            return [top, left, top, left]
        return [top, left, self.between(0, most[0]), self.between(0, most[1])]


def arguments(**given) -> str:
    """`, name: value` for each that is not None, as the language writes it."""
    return "".join(f", {name}: {literal(value)}" for name, value in given.items() if value is not None)


def literal(value) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" in text else text + ".0"
    return str(value)


def pair_text(pair: list) -> "Literal":
    """The shorter of the two ways to write a pair."""
    return Literal(literal(pair[0]) if pair[0] == pair[1] else f"[{literal(pair[0])}, {literal(pair[1])}]")


def sides_text(sides: list[int]) -> "Literal":
    top, left, bottom, right = sides
    if (top, left) == (bottom, right):
        return pair_text([top, left])
    return Literal(f"(top: {top}, left: {left}, bottom: {bottom}, right: {right})")


class Literal:
    """Text of the language."""

    def __init__(self, text: str):
        self.text = text

    def __str__(self) -> str:
        return self.text


def padded(x: torch.Tensor, sides: list[int], mode: str = "constant", value: float = 0.0) -> torch.Tensor:
    """PyTorch's `pad` with our order of sides."""
    top, left, bottom, right = sides
    if mode == "constant":
        return torch.nn.functional.pad(x, (left, right, top, bottom), value=value)
    return torch.nn.functional.pad(x, (left, right, top, bottom), mode=mode)
