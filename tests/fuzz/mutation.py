"""Damaged images: seeded, so that a number always gives the same image."""

from __future__ import annotations

import random
import struct
import zlib

_VALUES = (0, 1, 2, 3, 7, 8, 16, 255, 256, 4096, 32767, 32768, 65535, 65536, 2**20, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
_NUMBERS = (b"0", b"1", b"255", b"256", b"65535", b"65536", b"99999", b"2147483647", b"4294967296")


def mutated(seeds: dict[str, bytes], number: int) -> tuple[str, bytes]:
    """The kind of the seed image, and its damaged bytes."""
    chance = random.Random(number)  # noqa: S311
    kind = chance.choice(list(seeds))
    data = bytearray(seeds[kind])
    for _ in range(chance.choice((1, 1, 2, 3, 5, 9))):
        chance.choice(_MUTATIONS)(data, chance, seeds)
        if not data:
            break
    if kind.startswith("png") and chance.random() < 0.9:
        _mend_checksums(data)
    return kind, bytes(data)


def _place(data: bytearray, chance: random.Random) -> int:
    """A random offset; half of the time near the start, where the header is."""
    return chance.randrange(len(data) if chance.random() < 0.5 else min(len(data), chance.choice((32, 64, 200))))


def _flip(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    data[_place(data, chance)] ^= 1 << chance.randrange(8)


def _byte(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    data[_place(data, chance)] = chance.choice((0, 1, 0x7F, 0x80, 0xFE, 0xFF, chance.randrange(256)))


def _number(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    """Changes what may be a length, an offset, a count or a side."""
    width, order = chance.choice("HI"), chance.choice("<>")
    size = struct.calcsize(width)
    at = _place(data, chance)
    if at + size <= len(data):
        (before,) = struct.unpack_from(order + width, data, at)
        value = chance.choice((*_VALUES, before + 1, before - 1, before * 2, len(data), len(data) - at))
        struct.pack_into(order + width, data, at, value % (1 << 8 * size))


def _text(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    at = _place(data, chance)
    data[at : at + chance.randrange(1, 4)] = chance.choice(_NUMBERS)


def _cut(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    del data[_place(data, chance) :]


def _remove(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    at = _place(data, chance)
    del data[at : at + chance.choice((1, 2, 4, 12, 100))]


def _repeat(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    at = _place(data, chance)
    piece = data[at : at + chance.choice((1, 2, 4, 12, 100))]
    data[at:at] = piece * chance.choice((1, 2, 16))


def _splice(data: bytearray, chance: random.Random, seeds: dict[str, bytes]) -> None:
    """Inserts a piece of any seed image, or overwrites with it."""
    other = chance.choice(list(seeds.values()))
    start = chance.randrange(len(other))
    at = _place(data, chance)
    piece = other[start : start + chance.choice((4, 20, 100, 1000))]
    data[at : at + len(piece) * chance.randrange(2)] = piece


def _noise(data: bytearray, chance: random.Random, _: dict[str, bytes]) -> None:
    at = _place(data, chance)
    length = min(chance.choice((4, 16, 64)), len(data) - at)
    data[at : at + length] = chance.randbytes(length)


_MUTATIONS = (_flip, _flip, _byte, _byte, _number, _number, _number, _text, _cut, _remove, _repeat, _splice, _noise)


def _mend_checksums(data: bytearray) -> None:
    """Corrects the checksums of a PNG's chunks: libpng stops at a wrong one."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        if at + 12 + length > len(data):
            return
        struct.pack_into(">I", data, at + 8 + length, zlib.crc32(data[at + 4 : at + 8 + length]))
        at += 12 + length
