"""The tools that draw a scene: the classes, the camera, and flat shapes in a world of metres."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Colour = tuple[float, float, float]  # BGR, 0 to 255
Point = tuple[float, float]

CLASSES = (
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
)  # fmt: skip
(ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN, VEGETATION, TERRAIN, SKY, PERSON, RIDER, CAR, TRUCK, BUS,
 TRAIN, MOTORCYCLE, BICYCLE) = range(19)  # fmt: skip

WHITE, BLACK, GLASS, TYRE, STEEL = (235, 238, 238), (28, 26, 26), (84, 66, 52), (34, 32, 32), (150, 148, 146)


def scaled(colour: Colour, factor: float) -> Colour:
    b, g, r = (min(255.0, c * factor) for c in colour)
    return b, g, r


@dataclass(frozen=True)
class Mood:
    """The colours of a time of day: sky at the zenith and at the horizon, and the light on everything."""

    zenith: Colour
    horizon: Colour
    light: Colour  # factor per channel
    shadow: float


MOODS = (
    Mood((215, 150, 80), (240, 220, 190), (0.98, 1.0, 1.02), 0.6),  # clear noon
    Mood((190, 175, 160), (215, 210, 205), (1.0, 0.97, 0.94), 0.35),  # overcast
    Mood((170, 110, 80), (150, 190, 245), (0.78, 0.92, 1.08), 0.5),  # evening
    Mood((200, 165, 120), (225, 225, 225), (1.05, 0.98, 0.92), 0.45),  # cool morning
)


class Canvas:
    """An image and its labels, drawn together, and the pinhole camera that sees the world.

    Metres: x to the right, y up from the ground, z away from the camera. Every polygon is drawn with the same corners into
    `image` uint8 [height, width, 3] BGR and `labels` uint8 [height, width], so the two agree to the pixel.
    """

    def __init__(self, rng: np.random.Generator, width: int, height: int) -> None:
        self.rng = rng
        self.mood = MOODS[int(rng.integers(len(MOODS)))]
        self.image: Image = np.zeros((height, width, 3), np.uint8)
        self.labels: Image = np.full((height, width), SKY, np.uint8)
        self.horizon = rng.uniform(0.41, 0.49) * height
        self.centre = rng.uniform(0.42, 0.58) * width
        self.focal = rng.uniform(1.0, 1.3) * height
        self.eye = rng.uniform(1.6, 2.2)
        self.sun = -1 if rng.random() < 0.5 else 1  # the side of the street where the sun is

    def project(self, x: float, y: float, z: float) -> tuple[int, int]:
        scale = self.focal / max(z, 0.5)
        return round(self.centre + x * scale), round(self.horizon + (self.eye - y) * scale)

    def fill(self, corners: Sequence[tuple[float, float, float]], colour: Colour, label: int, light: float = 1) -> None:
        """Fill a polygon given in metres; more distance means more haze."""
        pixels = np.array([self.project(*corner) for corner in corners], np.int32)
        clear = math.exp(-corners[0][2] / 110)
        hazed = [c * light * clear + h * (1 - clear) for c, h in zip(colour, self.mood.horizon, strict=True)]
        cv2.fillPoly(self.image, [pixels], hazed)
        cv2.fillPoly(self.labels, [pixels], (label,))

    def ground(self, x0: float, x1: float, z0: float, z1: float, colour: Colour, label: int) -> None:
        self.fill([(x0, 0, z0), (x1, 0, z0), (x1, 0, z1), (x0, 0, z1)], colour, label)

    def vary(self, colour: Colour, spread: float = 14) -> Colour:
        shift = self.rng.uniform(-spread, spread)
        b, g, r = (min(255.0, max(0.0, c + shift + self.rng.uniform(-spread, spread) / 3)) for c in colour)
        return b, g, r

    def pick(self, colours: Sequence[Colour]) -> Colour:
        return self.vary(colours[int(self.rng.integers(len(colours)))])


@dataclass(frozen=True)
class Face:
    """An upright plane to draw on: u metres along the ground from its foot at (x, z), v metres up.

    `turn` 0 faces the camera, pi/2 runs along the street.
    """

    canvas: Canvas
    label: int
    x: float
    z: float
    turn: float = 0
    size: float = 1

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        dx, dz = math.cos(self.turn) * self.size, math.sin(self.turn) * self.size
        corners = [(self.x + u * dx, v * self.size, self.z + u * dz) for u, v in points]
        shaded = abs(dz) > 0.9 * self.size and self.x * self.canvas.sun > 0
        self.canvas.fill(corners, colour, self.label, 0.72 if shaded else 1)

    def rect(self, u0: float, v0: float, u1: float, v1: float, colour: Colour) -> None:
        self.polygon([(u0, v0), (u1, v0), (u1, v1), (u0, v1)], colour)

    def disc(self, u: float, v: float, radius: float, colour: Colour, corners: int = 14) -> None:
        angles = [2 * math.pi * k / corners for k in range(corners)]
        self.polygon([(u + radius * math.cos(a), v + radius * math.sin(a)) for a in angles], colour)

    def bar(self, u0: float, v0: float, u1: float, v1: float, thickness: float, colour: Colour) -> None:
        """A thick line from one point to another."""
        length = math.hypot(u1 - u0, v1 - v0)
        a, b = thickness / 2 * (v1 - v0) / length, thickness / 2 * (u1 - u0) / length
        self.polygon([(u0 - a, v0 + b), (u1 - a, v1 + b), (u1 + a, v1 - b), (u0 + a, v0 - b)], colour)

    def as_label(self, label: int) -> "Face":
        return Face(self.canvas, label, self.x, self.z, self.turn, self.size)


def noise(rng: np.random.Generator, cells: int, width: int, height: int) -> npt.NDArray[np.float32]:
    """Smooth float32 [height, width] noise from about -1 to 1, with `cells` bumps from top to bottom."""
    lattice = rng.integers(0, 255, (cells, 2 * cells), dtype=np.uint8)
    return cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 127.5 - 1
