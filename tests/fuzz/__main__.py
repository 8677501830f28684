"""`make fuzz`: damaged images, one after the other, for so long; tells what crashes, hangs or takes memory, and keeps it."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from .run import MEMORY, SLOW, Run


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--first", type=int, default=time.time_ns() // 10**6, help="number of the first image")
    parser.add_argument("--keep", type=Path, default=Path("output/fuzz"), help="folder for what is found")
    asked = parser.parse_args()
    end = time.monotonic() + asked.seconds
    with Run(asked.keep) as run:
        number = asked.first
        while time.monotonic() < end:
            run.try_image(number)
            number += 1
    print(f"{run.tried} images from {asked.first}: {run.told()}")
    print(f"slowest {run.slowest:.2f} s (limit {SLOW} s), most memory {run.peak / 2**20:.0f} MB (limit {MEMORY / 2**20:.0f} MB)")
    raise SystemExit(1 if run.found else 0)


if __name__ == "__main__":
    main()
