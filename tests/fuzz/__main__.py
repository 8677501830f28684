"""`make fuzz`: decodes damaged images for a given time; reports and keeps those that crash, hang or use too much memory."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from .run import MEMORY, SLOW, Run


def main() -> None:
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--first", type=int, default=time.time_ns() // 10**6, help="number of the first image")
    parser.add_argument("--keep", type=Path, default=Path("output/fuzz"), help="folder for the images found")
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
