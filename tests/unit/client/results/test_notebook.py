from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

from PIL import Image

from semseg_client.results.legend import ClassShare
from semseg_client.results.notebook import fragment


def pictures(page: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)]


def test_pictures_are_scaled_down_and_never_up() -> None:
    page = fragment([("large", Image.new("RGB", (1000, 500))), ("small", Image.new("RGB", (20, 10)))], [])
    assert [picture.size for picture in pictures(page)] == [(480, 240), (20, 10)]
    assert 'width="480" height="240"' in page


def test_the_legend_tells_colour_name_and_share() -> None:
    page = fragment([], [ClassShare(0, "road", (128, 0, 9), 3, 0.75)])
    assert "background:#800009" in page
    assert ">road<" in page
    assert ">75.00%<" in page


def test_names_are_escaped() -> None:
    page = fragment([('"<a>', Image.new("RGB", (1, 1)))], [ClassShare(0, "<script>", (0, 0, 0), 1, 1.0)])
    assert "&lt;script&gt;" in page
    assert 'alt="&quot;&lt;a&gt;"' in page
    assert "<script>" not in page


def test_every_element_is_closed_and_nothing_comes_from_outside() -> None:
    open_elements = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            if tag != "img":
                open_elements.append(tag)
            assert all((value or "").startswith("data:") for name, value in attributes if name in {"src", "href"})

        def handle_endtag(self, tag: str) -> None:
            assert open_elements.pop() == tag

    reader = Reader()
    reader.feed(fragment([("a", Image.new("RGB", (9, 9)))], [ClassShare(0, "road", (0, 0, 0), 1, 1.0)]))
    reader.close()
    assert not open_elements
