"""A fixed set of damaged images like those of `make fuzz`, and the images that once did harm."""

from __future__ import annotations

from tests.fuzz.run import MEMORY, REGRESSIONS, SLOW, Run


def test_damaged_images_do_no_harm() -> None:
    with Run() as run:
        for number in range(4000):
            run.try_image(number)
    print(f"{run.told()}; slowest {run.slowest:.2f} s, most memory {run.peak / 2**20:.0f} MB")
    assert run.found == []
    assert run.slowest < SLOW
    assert run.peak < MEMORY
    assert {"JPEG", "PNG", "BMP", "WebP", "TIFF", "PNM", "Sun raster"} == {
        outcome.partition(" ")[2] for outcome in run.outcomes if outcome.startswith("decoded")
    }


def test_what_once_did_harm_is_refused() -> None:
    files = sorted(REGRESSIONS.iterdir())
    assert len(files) >= 3
    with Run() as run:
        outcomes = {file.name: run.decode(file.name, file.read_bytes()) for file in files}
    assert run.found == []
    assert all(outcome == "refused" or outcome.startswith("failed") for outcome in outcomes.values()), outcomes
