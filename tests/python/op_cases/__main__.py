"""Draws the cases of all ops, or of those that are named, and writes them."""

import argparse
import json
from pathlib import Path

from . import conv, elementwise, norm, pool, reduce, resample, shape
from .case import Case, Draw

# Cases of each op, and of those with many attributes.
CASES = 28
CASES_OF = {"upsample": 63, "conv2d": 42, "pow": 42}
# Most draws that are given up since an op does not take them.
MOST_DRAWS = 4000

FAMILIES = [conv, pool, resample, shape, elementwise, norm, reduce]


def cases(op: str, draw_case) -> list[dict]:
    """`draw_case(draw, number)` gives a case, or None where what it drew does not fit."""
    count = CASES_OF.get(op, CASES)
    found: list[dict] = []
    models: set[str] = set()
    for attempt in range(MOST_DRAWS):
        case: Case | None = draw_case(Draw(f"{op}/{attempt}"), len(found))
        if case is None:
            continue
        written = case.to_json(op, len(found))
        if written["model"] not in models:
            models.add(written["model"])
            found.append(written)
        if len(found) == count:
            return found
    raise SystemExit(f"{op}: {len(found)} cases in {MOST_DRAWS} draws")


def main() -> None:
    parser = argparse.ArgumentParser(prog="op_cases", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("ops", nargs="*", help="only these")
    args = parser.parse_args()

    ops = {op: draw for family in FAMILIES for op, draw in family.OPS.items()}
    for op in args.ops or ops:
        # A case a line, so that differences can be looked at.
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases(op, ops[op]))
        (args.out / f"{op}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
