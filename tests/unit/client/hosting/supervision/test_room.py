from __future__ import annotations

from semseg_client.hosting.supervision.room import Demand, Room

MEGA = 2**20
SHARED = {"preprocess": 1, "postprocess": 1, "draw": 1}


def demand(model: str, megapixels: int, instances: int = 1, **entries: int) -> Demand:
    return Demand(megapixels * MEGA, {**SHARED, f"{model}_network": instances, **entries})


def room(megabytes: int, **demands: Demand) -> Room:
    return Room(megabytes * MEGA, demands)


def test_there_is_no_warning_where_the_largest_images_fit() -> None:
    assert room(1024, A=demand("A", 32)).warning is None
    assert room(64, A=demand("A", 3)).warning is None


def test_a_warning_names_what_there_is_what_is_needed_and_what_to_do() -> None:
    told = room(64, A=demand("A", 12)).warning
    assert told is not None
    # 13 bytes per pixel in all regions, and a quarter more
    for part in ("64 MB", "A accept", "199 MB", "3.7 megapixels", "--shm-size=199m", "emptyDir"):
        assert part in told


def test_processes_that_models_share_count_once_and_each_instance_counts() -> None:
    alone, twice, both = room(64, A=demand("A", 8)), room(64, A=demand("A", 8, 2)), room(64, A=demand("A", 8), B=demand("B", 4))
    assert twice.needed - alone.needed == (1 + 8.75 * 8) * MEGA
    assert both.needed - alone.needed == (1 + 8.75 * 4) * MEGA
    assert room(64, A=demand("A", 8, preprocess=2)).largest_image < alone.largest_image
    assert both.largest_image < alone.largest_image < both.largest_image * 1.02


def test_no_image_fits_where_nothing_is_free() -> None:
    assert room(0, A=demand("A", 8)).largest_image == 0
