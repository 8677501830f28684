"""Synthetic street scenes with exact labels in Cityscapes' nineteen train ids.

A scene is a small world seen through a pinhole camera, drawn from far to near. Both image and labels are drawn at
twice the size; then the image is averaged down and the labels are sampled.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from demo.canvas import (
    BICYCLE,
    BUILDING,
    MOTORCYCLE,
    ROAD,
    SIDEWALK,
    SKY,
    TERRAIN,
    VEGETATION,
    WALL,
    WHITE,
    Canvas,
    Face,
    Image,
    noise,
    scaled,
)
from demo.things import (
    PLASTER,
    building,
    bus,
    car,
    crossing,
    facade,
    fence,
    lamp,
    park,
    person,
    traffic_light,
    traffic_sign,
    tram,
    tree,
    truck,
    two_wheeler,
    wall,
)

HELD_OUT = range(1_000_000, 1_000_050)  # never trained on; the published figures come from these
TRAINING = range(100_000)

# The strength of fine (pixel) and coarse (patchy) noise for each class: asphalt is grainy, leaves are patchy.
FINE, COARSE = np.full(19, 0.03, np.float32), np.full(19, 0.04, np.float32)
FINE[[ROAD, SIDEWALK, WALL, VEGETATION, TERRAIN, SKY]] = 0.07, 0.05, 0.06, 0.16, 0.12, 0.01
COARSE[[ROAD, SIDEWALK, WALL, VEGETATION, TERRAIN, SKY]] = 0.05, 0.05, 0.10, 0.20, 0.16, 0.0

Draw = Callable[[Canvas, float, float], None]

VEHICLES: tuple[tuple[Draw, float, float], ...] = (
    (car, 1.84, 4.2), (car, 1.84, 4.2), (car, 1.84, 4.2), (car, 1.84, 4.2), (truck, 2.5, 8), (truck, 2.5, 8),
    (bus, 2.5, 11), (bus, 2.5, 11), (tram, 2.5, 18),
)  # fmt: skip
PAVEMENT: tuple[tuple[Draw, float, int], ...] = (
    (person, 0.6, 5), (tree, 0.8, 1), (lamp, 0.35, 2), (traffic_light, 0.4, 2), (traffic_sign, 0.4, 2),
    (partial(two_wheeler, kind=BICYCLE, ridden=False), 0.7, 1),
    (partial(two_wheeler, kind=MOTORCYCLE, ridden=False), 0.7, 1),
)  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """Something that stands on the ground at (x, z), and the patch of ground that it shades."""

    x: float
    z: float
    width: float
    depth: float
    draw: Draw


def sky(canvas: Canvas) -> None:
    height, width = math.ceil(canvas.horizon), canvas.labels.shape[1]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    zenith, horizon = np.array((canvas.mood.zenith, canvas.mood.horizon), np.float32)
    blue = (1 - down) * zenith + down * horizon
    billows = noise(canvas.rng, 3, width, height) + 0.5 * noise(canvas.rng, 7, width, height)
    cloud = np.clip(billows * 1.2 - canvas.rng.uniform(0, 0.5), 0, 0.8)[..., None]
    canvas.image[height:] = canvas.mood.horizon
    canvas.image[:height] = blue * (1 - cloud) + 246 * cloud


def skyline(canvas: Canvas) -> None:
    """A row of far houses and trees that closes the street."""
    x = -140.0
    while x < 140:
        wide, tall = canvas.rng.uniform(6, 16), canvas.rng.uniform(5, 16)
        if canvas.rng.random() < 0.5:
            facade(Face(canvas, BUILDING, x, 90), wide, tall, canvas.pick(PLASTER))
        else:
            tree(canvas, x + wide / 2, 88, tall * 0.7)
        x += wide


def ground(canvas: Canvas, kerb: float, edges: tuple[float, float]) -> None:
    """Grass everywhere, pavements between the kerbs and `edges` (left, right), and the road with its markings."""
    canvas.ground(-300, 300, 0.5, 90, canvas.vary((58, 138, 112)), TERRAIN)
    paving = canvas.vary((158, 166, 184))
    for side, edge in zip((-1, 1), edges, strict=True):
        canvas.ground(side * kerb, side * edge, 0.5, 90, paving, SIDEWALK)
        joint = scaled(paving, 0.82)
        for z in np.arange(1.5, 24, 0.9).tolist():
            canvas.ground(side * kerb, side * edge, z, z + 0.012 * z, joint, SIDEWALK)
        for x in np.arange(kerb + 0.9, edge, 0.9).tolist():
            canvas.ground(side * x, side * (x + 0.05), 0.5, 24, joint, SIDEWALK)
        canvas.ground(side * kerb, side * (kerb + 0.25), 0.5, 90, (205, 208, 212), SIDEWALK)
    canvas.ground(-kerb, kerb, 0.5, 90, canvas.vary((88, 84, 82)), ROAD)
    for x in (-kerb / 2, 0, kerb / 2):
        for z in np.arange(canvas.rng.uniform(1, 4), 60, 6).tolist():
            canvas.ground(x - 0.09, x + 0.09, z, z + 3, WHITE, ROAD)
    for side in (-1, 1):
        canvas.ground(side * (kerb - 0.35), side * (kerb - 0.2), 0.5, 80, WHITE, ROAD)
    if canvas.rng.random() < 0.4:
        z = canvas.rng.uniform(4, 10)
        for x in np.arange(-kerb + 0.5, kerb - 0.8, 1.1).tolist():
            canvas.ground(x, x + 0.6, z, z + 3, WHITE, ROAD)


def shadows(canvas: Canvas, things: Sequence[Thing]) -> None:
    """Darken the ground under and beside things, away from the sun; labels stay as they are."""
    mask = np.zeros_like(canvas.labels)
    for thing in things:
        left, right = thing.x - thing.width / 2, thing.x + thing.width / 2
        reach = -canvas.sun * 0.8 * thing.width
        far = thing.z + thing.depth
        patch = [(left, thing.z), (right, thing.z), (right + reach, far), (left + reach, far)]
        cv2.fillPoly(mask, [np.array([canvas.project(x, 0, z) for x, z in patch], np.int32)], (255,))
    soft = cv2.blur(mask, (9, 5)).astype(np.float32) / 255
    canvas.image[:] = canvas.image * (1 - canvas.mood.shadow * soft)[..., None]


def traffic(rng: np.random.Generator, kerb: float) -> list[Thing]:
    """Vehicles on four lanes, riders between them, people and sometimes a crossing vehicle."""
    things = []
    for lane, first in ((-0.75, 7.0), (-0.25, 12.0), (0.25, 12.0), (0.75, 7.0)):
        z = first + rng.uniform(0, 8)
        while z < 45:
            draw, width, length = VEHICLES[int(rng.integers(len(VEHICLES)))]
            things.append(Thing(lane * kerb + rng.uniform(-0.2, 0.2), z, width, length, draw))
            z += length + rng.uniform(4, 16)
    for gap, kind in zip(rng.permutation(3).tolist(), (BICYCLE, MOTORCYCLE, BICYCLE), strict=True):
        x, z = (gap - 1) * kerb / 2 + rng.uniform(-0.5, 0.5), rng.uniform(6, 14)
        things.append(Thing(x, z, 0.8, 1.2, partial(two_wheeler, kind=kind, ridden=True)))
    things += [Thing(rng.uniform(-kerb, kerb), rng.uniform(7, 15), 0.6, 1, person) for _ in range(int(rng.integers(3)))]
    if rng.random() < 0.3:
        things.append(Thing(rng.uniform(-6, 2), rng.uniform(12, 22), 5, 2, crossing))
    return things


def passers(rng: np.random.Generator, side: int, kerb: float, edge: float) -> list[Thing]:
    """People, trees, posts and parked two-wheelers of one pavement."""
    things = []
    for draw, width, count in PAVEMENT:
        for _ in range(int(rng.integers(count + 1))):
            along = kerb + 0.5 if width < 0.5 else rng.uniform(kerb + 0.8, edge - 0.4)
            things.append(Thing(side * along, along * rng.uniform(1.1, 2.6), width, 1.0, draw))
    return things


def roadside(canvas: Canvas, x: float) -> None:
    """What stands behind one pavement, from far to near; walls and fences stand where they are most visible."""
    rng = canvas.rng
    near = [wall, fence, building, park, building]
    kinds = [building, park, building, *(near[k] for k in rng.permutation(5)), building]
    z = 74.0
    for draw in kinds:
        front = z * rng.uniform(0.72, 0.8)
        draw(canvas, x, front, z)
        z = front


def scene(seed: int, width: int = 512, height: int = 256) -> tuple[Image, Image]:
    """The scene for a seed: (image uint8 [height, width, 3] BGR, labels uint8 [height, width])."""
    canvas = Canvas(np.random.default_rng(seed), 2 * width, 2 * height)
    rng = canvas.rng
    kerb = rng.uniform(5.2, 6.6)
    edges = (kerb + rng.uniform(2.0, 3.8), kerb + rng.uniform(2.0, 3.8))
    sky(canvas)
    skyline(canvas)
    ground(canvas, kerb, edges)
    things = traffic(rng, kerb)
    for side, edge in zip((-1, 1), edges, strict=True):
        things += passers(rng, side, kerb, edge)
        roadside(canvas, side * (edge + rng.uniform(0.5, 3)))
    shadows(canvas, things)
    for thing in sorted(things, key=lambda thing: -thing.z):
        thing.draw(canvas, thing.x, thing.z)
    return develop(canvas, width, height)


def develop(canvas: Canvas, width: int, height: int) -> tuple[Image, Image]:
    """Halve the canvas; add each surface's grain, the light of the time of day and the camera's noise."""
    labels = np.ascontiguousarray(canvas.labels[1::2, 1::2])
    image = cv2.resize(canvas.image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = canvas.rng.integers(0, 256, (height, width), dtype=np.uint8).astype(np.float32) / 127.5 - 1
    patches = noise(canvas.rng, 24, width, height) + noise(canvas.rng, 60, width, height)
    gain = 1 + FINE[labels] * fine + COARSE[labels] * patches
    light = np.array(canvas.mood.light, np.float32) * np.float32(canvas.rng.uniform(0.85, 1.12))
    speckle = canvas.rng.integers(-5, 6, (height, width, 3), dtype=np.int8)
    return np.clip(image * gain[..., None] * light + speckle, 0, 255).astype(np.uint8), labels
