"""Text files that people write: UTF-8, or what Windows writes instead."""

from __future__ import annotations

import codecs

UTF_8 = "UTF-8"
_MARKS = {codecs.BOM_UTF8: UTF_8, codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}
_RARE = b"\xd8\xa1"  # the second level of GB 2312 starts here; Chinese text seldom uses it
_ADVICE = "save it as UTF-8, for example with iconv -f ENCODING -t UTF-8"


def decoded(content: bytes) -> tuple[str, str]:
    """The text without its byte order mark, and its encoding: UTF-8, UTF-16 if a mark says so, or GBK (Windows in China).

    Nearly any bytes can be read as GBK, so a damaged UTF-8 file or one in another encoding must not pass for it: only the
    characters of GB 2312 are accepted, few of them rare, and only where UTF-8 does not fit better. Raises ValueError.
    """
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), UTF_8)
    try:
        text = content.decode("utf-8-sig" if encoding == UTF_8 else encoding)
    except UnicodeDecodeError as error:
        if encoding == UTF_8 and (simplified := _simplified_chinese(content)) is not None:
            return simplified, "GBK"
        line = content.count(b"\n", 0, error.start) + 1
        wrong = "neither UTF-8 nor GBK" if encoding == UTF_8 else f"not {encoding}, although the file begins like it"
        raise ValueError(f"line {line}: is {wrong}; {_ADVICE}") from None
    if "\0" in text:  # UTF-16 without its mark, or no text at all
        raise ValueError(f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}: holds a null character; {_ADVICE}")
    return text, encoding


def _simplified_chinese(content: bytes) -> str | None:
    try:
        text = content.decode("gb2312")
    except UnicodeDecodeError:
        return None
    foreign = [letter.encode("gb2312") for letter in text if letter > "\x7f"]
    rare = sum(letter >= _RARE for letter in foreign)
    # In GBK, pairs of bytes often happen to be UTF-8, but three in a row, as of a Chinese character in UTF-8, seldom do.
    as_utf_8 = content.decode("utf-8", "replace")
    bad = as_utf_8.count("\ufffd")
    wide = sum(letter >= "\u0800" for letter in as_utf_8) - bad
    narrow = sum("\x7f" < letter < "\u0800" for letter in as_utf_8)
    fits = 4 * rare <= len(foreign) and 3 * wide < bad and narrow <= bad
    return text if fits and "\0" not in text else None
