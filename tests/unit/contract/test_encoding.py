from __future__ import annotations

import codecs

import pytest

from semseg_contract.encoding import decoded

CHINESE = "道路\n人行道\n建筑物\n交通灯\n沥青\n"
YAML = "# 语义分割 配置文件\nGlobal:\n  model_name: 道路\n"


@pytest.mark.parametrize("text", ["", "road\n", CHINESE, YAML, "Öffentlicher Weg\n", "도로\n", "a\r\nb\r\n"])
def test_utf_8_and_utf_16_are_read_with_a_mark_and_utf_8_without(text: str) -> None:
    assert decoded(text.encode()) == decoded(text.encode("utf-8-sig")) == (text, "UTF-8")
    for mark, encoding in ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        assert decoded(mark + text.encode(encoding)) == (text, "UTF-16")


@pytest.mark.parametrize("text", [CHINESE, YAML, "道路\n", "类别、背景、前景\n", "road\nsidewalk\n墙和栅栏\n"])
def test_gbk_is_read(text: str) -> None:
    assert decoded(text.encode("gbk")) == (text, "GBK")


@pytest.mark.parametrize(
    "text",
    [CHINESE, YAML, "Öffentlicher Weg\nStraße\n", "café\n", "дорога\nтротуар\n", "도로\n인도\n", "類別\n"],  # noqa: RUF001
)
def test_utf_8_with_a_bad_byte_never_passes_for_gbk(text: str) -> None:
    content = text.encode()
    for place, old in enumerate(content):
        if old < 0x80:
            continue
        for damaged in (
            content[:place] + content[place + 1 :],
            *(content[:place] + bytes([b]) + content[place + 1 :] for b in (0xFF, 0x20)),
        ):
            with pytest.raises(ValueError, match=r"line \d: is neither UTF-8 nor GBK; save it as UTF-8, for example with iconv"):
                decoded(damaged)


@pytest.mark.parametrize(
    "content", ["Straße\nMüll\n".encode("latin-1"), "дорога\n".encode("cp1251"), "車道\n".encode("big5"), b"\x80\n", b"a\xff"]
)
def test_other_encodings_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="line 1: is neither UTF-8 nor GBK"):
        decoded(content)


def test_half_a_character_of_utf_16_and_null_characters_are_refused() -> None:
    with pytest.raises(ValueError, match="is not UTF-16, although the file begins like it"):
        decoded("road".encode("utf-16") + b"\n")
    for content in ("a\nroad".encode("utf-16-le"), "road".encode("utf-32"), b"PNG\0"):
        with pytest.raises(ValueError, match="null character"):
            decoded(content)
