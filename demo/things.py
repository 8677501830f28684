"""The things in a street, each drawn with its distinguishing features: one function per kind.

A thing drawn at (x, z) has its foot there; things with a front and a side are boxes of two faces.
"""

import math
from collections.abc import Sequence

import numpy as np

from demo.canvas import (
    BICYCLE,
    BLACK,
    BUILDING,
    BUS,
    CAR,
    FENCE,
    GLASS,
    LIGHT,
    PERSON,
    POLE,
    RIDER,
    ROAD,
    SIGN,
    STEEL,
    TRAIN,
    TRUCK,
    TYRE,
    VEGETATION,
    WALL,
    WHITE,
    Canvas,
    Colour,
    Face,
    scaled,
)

CLOTHES = ((60, 50, 180), (170, 90, 40), (60, 130, 60), (200, 200, 205), (50, 45, 45), (40, 160, 220), (140, 60, 120))
CAR_PAINT = ((40, 40, 190), (160, 90, 40), (190, 190, 190), (235, 235, 235), (45, 42, 40), (90, 120, 50), (60, 90, 130))
TRUCK_PAINT = ((40, 60, 200), (190, 110, 30), (60, 140, 40), (40, 150, 230))
BUS_PAINT = (((40, 195, 245), (40, 60, 200)), ((50, 45, 205), (225, 225, 225)))  # body, trim
TRAM_PAINT = ((232, 238, 236), (70, 140, 20))
TROUSERS = ((80, 55, 40), (50, 48, 46), (110, 90, 70))
VESTS, HELMETS = ((40, 240, 215), (30, 130, 250)), ((235, 235, 235), (40, 40, 200), (200, 120, 30))
SKIN = ((140, 175, 225), (95, 130, 180), (60, 80, 120))
PLASTER = ((150, 195, 225), (110, 140, 200), (175, 185, 190), (190, 215, 225), (85, 100, 150), (200, 190, 165))


# --- What lines the street --------------------------------------------------------------------------------------------


def facade(face: Face, length: float, tall: float, plaster: Colour) -> None:
    """A house front with floors of framed windows, a plinth and a tiled roof edge. `length` may be negative."""
    canvas, way = face.canvas, math.copysign(1, length)
    face.rect(0, 0, length, tall, plaster)
    face.rect(0, 0, length, 0.6, (110, 112, 116))
    face.rect(0, tall - 0.7, length, tall, (60, 70, 130))
    frame = scaled(plaster, 1.25)
    for floor in np.arange(1.2, tall - 2.4, 2.8).tolist():
        for u in np.arange(0.7, abs(length) - 1.2, 2.1).tolist():
            glass = (120, 200, 235) if canvas.rng.random() < 0.12 else canvas.vary(GLASS)
            face.rect(way * u, floor - 0.15, way * (u + 1.3), floor + 1.75, frame)
            face.rect(way * (u + 0.12), floor, way * (u + 1.18), floor + 1.6, glass)
            face.rect(way * (u + 0.6), floor, way * (u + 0.7), floor + 1.6, frame)


def building(canvas: Canvas, x: float, z0: float, z1: float) -> None:
    tall, plaster = canvas.rng.uniform(5, 13), canvas.pick(PLASTER)
    facade(Face(canvas, BUILDING, x, z0, math.pi / 2), z1 - z0, tall, plaster)
    facade(Face(canvas, BUILDING, x, z0), math.copysign(11, x), tall, plaster)


def wall(canvas: Canvas, x: float, z0: float, z1: float) -> None:
    """A wall of rough grey or sandy stones with a coping and trees behind it."""
    park(canvas, x * 1.35, z0, z1)
    tall, stone = canvas.rng.uniform(2.3, 3.4), canvas.pick(((128, 132, 138), (105, 130, 150)))
    face = Face(canvas, WALL, x, z0, math.pi / 2)
    face.rect(0, 0, z1 - z0, tall, scaled(stone, 0.62))
    rows = int(tall / 0.5)
    for row in range(rows):
        v0, v1 = row * tall / rows, (row + 0.86) * tall / rows
        for u in np.arange(-0.5 * (row % 2), z1 - z0, 1.0).tolist():
            face.rect(max(u, 0), v0, min(u + 0.9, z1 - z0), v1, canvas.vary(stone, 22))
    face.rect(0, tall, z1 - z0, tall + 0.22, (190, 194, 198))


def fence(canvas: Canvas, x: float, z0: float, z1: float) -> None:
    """Pickets on two rails, with dark gaps between them."""
    park(canvas, x * 1.35, z0, z1)
    paint = canvas.pick(((215, 222, 225), (60, 95, 145), (120, 85, 45)))
    tall = canvas.rng.uniform(1.7, 2.3)
    face = Face(canvas, FENCE, x, z0, math.pi / 2)
    face.rect(0, 0, z1 - z0, tall * 0.9, (38, 58, 48))
    for v in (0.3, 0.75):
        face.rect(0, tall * v, z1 - z0, tall * v + 0.16, scaled(paint, 0.8))
    for u in np.arange(0, z1 - z0 - 0.3, 0.55).tolist():
        face.polygon([(u, 0), (u + 0.32, 0), (u + 0.32, tall * 0.9), (u + 0.16, tall), (u, tall * 0.9)], paint)


def park(canvas: Canvas, x: float, z0: float, z1: float) -> None:
    """Grass with trees and bushes."""
    for z in sorted(canvas.rng.uniform(z0, z1, 2).tolist(), reverse=True):
        tree(canvas, x * canvas.rng.uniform(1.15, 1.7), z, canvas.rng.uniform(4, 8))
        if canvas.rng.random() < 0.5:
            leaves(Face(canvas, VEGETATION, x * canvas.rng.uniform(1.05, 1.4), z), 0.7, 1.4, 0.8)


def leaves(face: Face, middle: float, wide: float, tall: float) -> None:
    """A clump of leaf balls, lighter towards the top."""
    rng, green = face.canvas.rng, face.canvas.vary((42, 98, 54), 18)
    for v in sorted(rng.uniform(-1, 1, 14).tolist()):
        u = rng.uniform(-1, 1) * math.sqrt(1.05 - v * v) * wide * 0.7
        lit = 0.95 + 0.4 * v + rng.uniform(-0.12, 0.12)
        face.disc(u, max(middle + v * tall * 0.65, 0.3), 0.42 * wide, scaled(green, lit), 9)


def tree(canvas: Canvas, x: float, z: float, tall: float = 6) -> None:
    face = Face(canvas, VEGETATION, x, z)
    face.rect(-0.2, 0, 0.2, tall * 0.6, (50, 72, 96))
    leaves(face, tall * 0.72, tall * 0.3, tall * 0.36)


# --- Street furniture -------------------------------------------------------------------------------------------------


def post(face: Face, tall: float) -> None:
    face.rect(-0.17, 0, 0.17, tall, (112, 112, 112))
    face.rect(-0.06, 0, 0.08, tall, (178, 178, 176))
    face.rect(-0.26, 0, 0.26, 0.5, (84, 84, 86))


def lamp(canvas: Canvas, x: float, z: float) -> None:
    face = Face(canvas, POLE, x, z)
    reach = -math.copysign(1.8, x)
    post(face, 6.2)
    face.bar(0, 6.1, reach, 6.4, 0.28, (120, 120, 120))
    face.rect(reach - 0.5, 6.2, reach + 0.5, 6.5, (190, 225, 240))


def traffic_light(canvas: Canvas, x: float, z: float) -> None:
    face = Face(canvas, POLE, x, z)
    post(face, 3.4)
    box = face.as_label(LIGHT)
    box.rect(-0.45, 2.5, 0.45, 4.3, (40, 190, 215))
    box.rect(-0.36, 2.58, 0.36, 4.22, BLACK)
    lit = int(canvas.rng.integers(3))
    for k, colour in enumerate(((90, 235, 60), (40, 190, 255), (50, 50, 245))):
        box.disc(0, 2.86 + 0.54 * k, 0.23, colour if k == lit else scaled(colour, 0.3))


def traffic_sign(canvas: Canvas, x: float, z: float) -> None:
    face = Face(canvas, POLE, x, z)
    post(face, 2.6)
    plate = face.as_label(SIGN)
    kind = int(canvas.rng.integers(4))
    if kind == 0:  # limit
        plate.disc(0, 2.7, 0.58, (45, 40, 205))
        plate.disc(0, 2.7, 0.40, WHITE)
        plate.rect(-0.2, 2.55, 0.2, 2.85, BLACK)
    elif kind == 1:  # warning
        plate.polygon([(-0.68, 2.25), (0.68, 2.25), (0, 3.4)], (45, 40, 205))
        plate.polygon([(-0.4, 2.42), (0.4, 2.42), (0, 3.08)], WHITE)
    elif kind == 2:  # direction
        plate.rect(-0.6, 2.2, 0.6, 3.3, (190, 95, 25))
        plate.bar(0, 2.35, 0, 3.1, 0.22, WHITE)
        plate.polygon([(-0.35, 2.8), (0.35, 2.8), (0, 3.2)], WHITE)
    else:  # priority
        plate.polygon([(-0.68, 2.75), (0, 2.07), (0.68, 2.75), (0, 3.43)], WHITE)
        plate.polygon([(-0.5, 2.75), (0, 2.25), (0.5, 2.75), (0, 3.25)], (20, 190, 240))


# --- People and two-wheelers ------------------------------------------------------------------------------------------


def person(canvas: Canvas, x: float, z: float) -> None:
    face = Face(canvas, PERSON, x, z, size=canvas.rng.uniform(1.0, 1.2))
    trousers, shirt, skin = canvas.pick(TROUSERS), canvas.pick(CLOTHES), canvas.pick(SKIN)
    step = canvas.rng.uniform(0.1, 0.3)
    for side in (-1, 1):
        face.bar(side * 0.1, 0.9, side * step, 0.06, 0.22, trousers)
        face.bar(side * step - 0.06, 0.05, side * step + 0.14, 0.05, 0.1, BLACK)
        face.bar(side * 0.27, 1.42, side * (0.3 + step / 3), 0.85, 0.14, scaled(shirt, 0.8))
    face.polygon([(-0.24, 0.8), (0.24, 0.8), (0.3, 1.48), (-0.3, 1.48)], shirt)
    face.disc(0, 1.66, 0.17, skin)
    face.polygon([(-0.17, 1.66), (0.17, 1.66), (0.13, 1.84), (-0.13, 1.84)], canvas.pick(((30, 35, 45), (50, 90, 150))))


def bicycle(face: Face) -> None:
    paint = face.canvas.pick(((40, 40, 210), (200, 140, 30), (60, 190, 90), (30, 150, 240)))
    for u in (-0.55, 0.55):
        face.disc(u, 0.38, 0.38, TYRE)
        face.disc(u, 0.38, 0.27, (176, 186, 190))
        face.disc(u, 0.38, 0.07, TYRE)
    tubes = (
        (-0.55, 0.38, -0.2, 0.85), (-0.2, 0.85, 0.4, 0.85), (-0.1, 0.38, 0.4, 0.85), (-0.55, 0.38, -0.1, 0.38),
        (-0.2, 0.85, -0.1, 0.38), (0.55, 0.38, 0.38, 1.0),
    )  # fmt: skip
    for u0, v0, u1, v1 in tubes:
        face.bar(u0, v0, u1, v1, 0.12, paint)
    face.bar(-0.38, 0.95, -0.05, 0.95, 0.12, BLACK)
    face.bar(0.25, 1.05, 0.5, 1.05, 0.1, BLACK)


def motorcycle(face: Face) -> None:
    paint = face.canvas.pick(((30, 30, 170), (150, 60, 30), (40, 120, 40), (40, 40, 44)))
    for u in (-0.7, 0.7):
        face.disc(u, 0.36, 0.36, TYRE)
        face.disc(u, 0.36, 0.15, STEEL)
    face.polygon([(-0.6, 0.35), (0.45, 0.3), (0.6, 0.75), (-0.5, 0.8)], (70, 70, 74))
    face.bar(-0.95, 0.32, 0.1, 0.3, 0.14, (205, 205, 208))
    face.polygon([(-0.95, 0.72), (-0.1, 0.68), (-0.1, 0.92), (-0.9, 0.98)], BLACK)
    face.polygon([(-0.15, 0.65), (0.55, 0.6), (0.75, 1.0), (0.4, 1.12), (-0.1, 0.95)], paint)
    face.bar(0.7, 0.36, 0.48, 1.15, 0.12, STEEL)
    face.disc(0.72, 0.95, 0.13, (170, 240, 250))


def rider(face: Face) -> None:
    """Bent forward, in a bright vest and helmet."""
    canvas = face.canvas
    vest, helmet = canvas.pick(VESTS), canvas.pick(HELMETS)
    face.bar(-0.2, 0.95, 0.12, 0.62, 0.22, (90, 60, 45))
    face.bar(0.12, 0.68, -0.02, 0.28, 0.2, (90, 60, 45))
    face.bar(-0.22, 0.9, 0.08, 1.5, 0.42, vest)
    face.bar(0.05, 1.4, 0.42, 1.1, 0.16, vest)
    face.disc(0.18, 1.66, 0.18, canvas.pick(SKIN))
    face.polygon([(-0.05, 1.66), (0.4, 1.68), (0.32, 1.9), (0.1, 1.93)], helmet)


def two_wheeler(canvas: Canvas, x: float, z: float, kind: int, ridden: bool) -> None:
    turn = canvas.rng.uniform(-0.7, 0.7) + math.pi * int(canvas.rng.integers(2))
    face = Face(canvas, kind, x, z, turn, canvas.rng.uniform(1.1, 1.3))
    machine = bicycle if kind == BICYCLE else motorcycle
    machine(face)
    if ridden:
        rider(face.as_label(RIDER))


# --- Vehicles ---------------------------------------------------------------------------------------------------------


def lights(face: Face, half: float, v: float, rear: bool) -> None:
    for side in (-1, 1):
        face.rect(side * (half - 0.38), v, side * (half - 0.06), v + 0.22, (50, 45, 225) if rear else (200, 245, 250))


def wheels(face: Face, radius: float, places: Sequence[float]) -> None:
    for u in places:
        face.disc(u, radius, radius, TYRE)
        face.disc(u, radius, radius * 0.5, STEEL)


def car_side(face: Face, paint: Colour) -> None:
    face.rect(0, 0.28, 4.2, 0.9, paint)
    face.polygon([(0.2, 0.9), (3.2, 0.9), (2.6, 1.5), (0.9, 1.5)], paint)
    face.polygon([(0.5, 0.95), (1.6, 0.95), (1.6, 1.38), (1.0, 1.38)], GLASS)
    face.polygon([(1.75, 0.95), (2.95, 0.95), (2.5, 1.38), (1.75, 1.38)], GLASS)
    face.rect(1.66, 0.4, 1.7, 0.92, (60, 58, 58))
    wheels(face, 0.34, (0.85, 3.35))


def truck_end(face: Face, paint: Colour, rear: bool) -> None:
    for side in (-1, 1):
        face.rect(side * 0.6, 0, side * 1.15, 0.95, TYRE)
    face.rect(-1.25, 0.55, 1.25, 0.95, (66, 64, 64))
    face.rect(-1.28, 0.9, 1.28, 3.7, (205, 208, 210))
    if rear:
        face.rect(-0.04, 1.0, 0.04, 3.6, (120, 120, 122))
        for k in range(-3, 3):
            face.rect(k * 0.42, 0.9, k * 0.42 + 0.21, 1.2, (40, 40, 210))
    else:
        face.rect(-1.2, 0.5, 1.2, 2.9, paint)
        face.rect(-1.05, 1.7, 1.05, 2.6, GLASS)
        face.rect(-0.8, 0.75, 0.8, 1.4, BLACK)
    lights(face, 1.25, 0.6, rear)


def truck_side(face: Face, paint: Colour, cab_first: bool = False) -> None:
    a, b = (0.0, 2.0) if cab_first else (6.2, 0.0)
    face.rect(0.1, 0.6, 8.1, 0.95, (66, 64, 64))
    face.rect(b, 0.9, b + 6, 3.7, (205, 208, 210))
    face.polygon([(b + 0.8, 1.3), (b + 2.2, 1.3), (b + 4.6, 3.3), (b + 3.2, 3.3)], paint)
    face.rect(a, 0.5, a + 1.9, 2.9, paint)
    face.rect(a + 0.4, 1.7, a + 1.5, 2.6, GLASS)
    wheels(face, 0.5, (1.0, 2.6, 6.9))


def coach_end(face: Face, paint: Colour, trim: Colour, rear: bool) -> None:
    face.rect(-1.2, 0, 1.2, 0.45, TYRE)
    face.polygon([(-1.27, 0.3), (1.27, 0.3), (1.27, 3.2), (1.1, 3.32), (-1.1, 3.32), (-1.27, 3.2)], paint)
    face.rect(-1.27, 0.3, 1.27, 0.85, trim)
    face.rect(-1.08, 1.35, 1.08, 2.5, GLASS)
    face.rect(-0.75, 2.62, 0.75, 2.98, BLACK)
    face.rect(-0.6, 2.7, 0.5, 2.9, (30, 170, 255))
    lights(face, 1.22, 0.9, rear)


def coach_side(face: Face, paint: Colour, trim: Colour, length: float, axles: Sequence[float]) -> None:
    face.rect(0, 0.3, length, 3.2, paint)
    face.rect(0, 0.3, length, 0.85, trim)
    for u in np.arange(0.4, length - 1.2, 1.5).tolist():
        face.rect(u, 1.35, u + 1.2, 2.5, GLASS)
    face.rect(length * 0.55, 0.4, length * 0.55 + 1.2, 2.5, (110, 100, 96))
    wheels(face, 0.5, axles)


def coach(face: Face, paint: Colour, trim: Colour, length: float, axles: Sequence[float]) -> None:
    """The common parts of a bus and a tram; `face` is the visible end."""
    side = Face(face.canvas, face.label, face.x - math.copysign(1.27, face.x), face.z, math.pi / 2)
    coach_side(side, paint, trim, length, axles)
    coach_end(face, paint, trim, rear=face.x > 0)


def car(canvas: Canvas, x: float, z: float) -> None:
    """Lower body, bonnet or boot, cabin with sloping glass: the only vehicle low enough to be seen from above."""
    paint, rear = canvas.pick(CAR_PAINT), x > 0
    inner = -math.copysign(1, x)
    foot, back, roof = z + (0.5 if rear else 1.2), z + (3.3 if rear else 3.9), scaled(paint, 1.2)
    end, side = Face(canvas, CAR, x, z), Face(canvas, CAR, x + inner * 0.92, z, math.pi / 2)

    def cabin(corners: Sequence[tuple[float, float, float]], colour: Colour) -> None:
        canvas.fill([(x + across * inner, up, along) for across, up, along in corners], colour, CAR)

    side.rect(0, 0.26, 4.2, 0.92, paint)
    wheels(side, 0.34, (0.85, 3.35))
    cabin([(-0.92, 0.92, z), (0.92, 0.92, z), (0.92, 0.92, z + 4.2), (-0.92, 0.92, z + 4.2)], roof)
    cabin([(0.9, 0.92, foot), (0.66, 1.5, foot + 0.6), (0.66, 1.5, back - 0.6), (0.9, 0.92, back)], paint)
    cabin([(0.87, 1, foot + 0.25), (0.7, 1.42, foot + 0.65), (0.7, 1.42, back - 0.7), (0.87, 1, back - 0.25)], GLASS)
    cabin([(-0.9, 0.92, foot), (0.9, 0.92, foot), (0.66, 1.5, foot + 0.6), (-0.66, 1.5, foot + 0.6)], paint)
    cabin([(-0.8, 0.97, foot), (0.8, 0.97, foot), (0.6, 1.42, foot + 0.5), (-0.6, 1.42, foot + 0.5)], (112, 92, 74))
    cabin([(-0.66, 1.5, foot + 0.6), (0.66, 1.5, foot + 0.6), (0.66, 1.5, back - 0.6), (-0.66, 1.5, back - 0.6)], roof)
    for edge in (-1, 1):
        end.rect(edge * 0.55, 0, edge * 0.85, 0.4, TYRE)
    end.rect(-0.92, 0.26, 0.92, 0.92, paint)
    end.rect(-0.92, 0.25, 0.92, 0.42, (52, 50, 50))
    end.rect(-0.26, 0.46, 0.26, 0.62, WHITE)
    lights(end, 0.92, 0.64, rear)


def truck(canvas: Canvas, x: float, z: float) -> None:
    paint = canvas.pick(TRUCK_PAINT)
    truck_side(Face(canvas, TRUCK, x - math.copysign(1.27, x), z, math.pi / 2), paint, cab_first=x < 0)
    truck_end(Face(canvas, TRUCK, x, z), paint, rear=x > 0)


def bus(canvas: Canvas, x: float, z: float) -> None:
    coach(Face(canvas, BUS, x, z), *BUS_PAINT[int(canvas.rng.integers(2))], 11, (2.4, 8.6))


def tram(canvas: Canvas, x: float, z: float) -> None:
    """White over green, on rails, with its pantograph up."""
    for rail in (-0.75, 0.75):
        canvas.ground(x + rail - 0.09, x + rail + 0.09, 0.5, z, (168, 160, 150), ROAD)
    face = Face(canvas, TRAIN, x, z)
    coach(face, *TRAM_PAINT, 18, ())
    face.rect(-1.27, 0.95, 1.27, 1.25, (70, 140, 20))
    face.bar(-0.7, 3.25, 0.5, 4.0, 0.16, (70, 68, 66))
    face.bar(0.5, 4.0, -0.5, 4.6, 0.16, (70, 68, 66))
    face.bar(-0.9, 4.6, 0.5, 4.6, 0.14, (70, 68, 66))


def crossing(canvas: Canvas, x: float, z: float) -> None:
    """A vehicle that crosses the street, seen from the side."""
    kind = int(canvas.rng.integers(4))
    if kind < 2:
        car_side(Face(canvas, CAR, x, z), canvas.pick(CAR_PAINT))
    elif kind == 2:
        truck_side(Face(canvas, TRUCK, x, z), canvas.pick(TRUCK_PAINT))
    else:
        coach_side(Face(canvas, BUS, x, z), *BUS_PAINT[int(canvas.rng.integers(2))], 11, (2.4, 8.6))
