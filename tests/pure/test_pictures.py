"""The pictures of the documentation: what is drawn of a screen, and that each file can be shown
anywhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pyte
import pytest

from docs.drawings import DRAWINGS
from docs.terminal_svg import DARK, Place, draw_frames, draw_picture, find_place, grid_of

PICTURES = sorted((Path(__file__).parents[2] / "docs/pictures").iterdir())
BYTES = 400_000
"""The most that a picture has: a page is opened over slow lines, too."""
SVG = "{http://www.w3.org/2000/svg}"


def grid(*rows, columns=12):
    screen = pyte.Screen(columns, len(rows))
    pyte.Stream(screen).feed("\r\n".join(rows))
    return grid_of(screen)


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_words_are_text_and_boxes_are_shapes():
    svg = draw_picture(grid("┌──┐ █░", "│<B>│  full"), "A box", DARK)
    assert texts(svg) == ["<B>", "full"]
    paths = [path.get("d") for path in ElementTree.fromstring(svg).iter(f"{SVG}path")]
    # ┌ is two lines from the middle of its cell: down, and to the right.
    assert any("M4.2 8.5l0.0 8.5M4.2 8.5l4.2 0.0" in path for path in paths), paths
    assert any(path.startswith("M42.0 0.0H50.4V17.0") for path in paths), paths


def test_words_keep_their_places():
    """Spaces are places, not text: who draws it may fold them."""
    svg = draw_picture(grid("a   b c"), "", DARK)
    found = ElementTree.fromstring(svg).iter(f"{SVG}text")
    assert [(one.text, one.get("x")) for one in found] == [("a", "0.0"), ("b c", "33.6")]


def test_a_place_is_found_by_its_text():
    cells = grid("B  write(1)", "B  read(0)")
    assert find_place(cells, r"B +(?P<at>read)") == Place(1, 3, 4)
    with pytest.raises(LookupError):
        find_place(cells, "pause")


def test_a_mark_covers_no_word():
    """Its number is where nothing stands: beside it, or in the row below."""
    cells = grid("ab cdefghijk", "abcdefgh    ")
    svg = draw_picture(cells, "", DARK, [find_place(cells, "cd"), find_place(cells, "abcdefgh")])
    numbers = [
        (one.text, float(one.get("x")))
        for one in ElementTree.fromstring(svg).iter(f"{SVG}text")
        if one.get("class") == "n"
    ]
    assert [number for number, _ in numbers] == ["1", "2"]
    assert numbers[1][1] > 8 * 8.4


def test_frames_share_rows():
    first, second = grid("title", "before"), grid("title", "after")
    svg = draw_frames([first, second, second], 2.0, "Two", DARK, still=2)
    assert sorted(texts(svg)) == ["after", "before", "title"]
    moving = ElementTree.fromstring(svg).iter(f"{SVG}animate")
    assert [(one.get("values"), one.get("keyTimes"), one.get("dur")) for one in moving] == [
        ("inline;none", "0;0.3333", "6s"),
        ("none;inline", "0;0.3333", "6s"),
    ]
    # Who shows no movement shows the frame that was chosen for it.
    assert re.findall(r'<g display="(\w+)">', svg) == ["none", "inline"]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.stem)
def test_a_picture_can_be_shown_anywhere(picture):
    text = picture.read_text()
    assert len(text.encode()) <= BYTES
    root = ElementTree.fromstring(text)
    assert root.find(f"{SVG}title").text
    outside = set(re.findall(r"https?://[^\"' )]+", text))
    assert outside <= {"http://www.w3.org/2000/svg"}, "it would fetch something"


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_up_to_date(name):
    """`python -m docs.make_pictures NAME` makes it anew."""
    (picture,) = [path for path in PICTURES if path.stem == name]
    assert picture.read_text() == DRAWINGS[name]()
