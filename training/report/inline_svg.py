"""Make an SVG file from matplotlib part of a page: in the page's colours, and without ids that two charts would share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

# The page's light colours, by their names in its style sheet. Draw in these: in the page, the style sheet's own colour
# replaces each, light or dark.
COLOURS = {"bar": "#3b78b5", "second": "#c2660c", "line": "#dde2e6", "quiet": "#5b6670"}
_NAME_OF = {colour: name for name, colour in COLOURS.items()}
_COLOUR = re.compile("|".join(COLOURS.values()))
_SVG = "{http://www.w3.org/2000/svg}"


def inline_svg(data: bytes, title: str, dot_titles: Mapping[str, Sequence[str]]) -> str:
    """Turn a file into an element `svg` of a page.

    Args:
        data: file that matplotlib wrote, with nothing clipped and with round markers only.
        title: description of the chart for readers who cannot see it; plain text.
        dot_titles: id of a line -> the meaning of each of its markers, in the order of the markers; plain text.

    Returns:
        The element. Groups whose id is `mark` or in `dot_titles` have it as their class; every marker is a circle.
    """
    drawn = ElementTree.fromstring(data)
    shared = drawn.find(f"{_SVG}defs")
    if shared is not None:  # a style for all elements, which would apply to the whole page
        drawn.remove(shared)
    for group in drawn.iter(f"{_SVG}g"):
        name = group.attrib.pop("id", "")
        if name in dot_titles or name == "mark":
            group.set("class", name)
        if name in dot_titles:
            _draw_dots(group, dot_titles[name])
    for element in drawn.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.text, element.tail = (element.text or "").strip(), None
        if "style" in element.attrib:
            element.set("style", _COLOUR.sub(lambda one: f"var(--{_NAME_OF[one[0]]})", element.attrib["style"]))
        if "d" in element.attrib:
            element.set("d", " ".join(element.attrib["d"].split()))
    drawn.attrib = {"viewBox": drawn.attrib["viewBox"], "role": "img", "aria-label": title}
    return ElementTree.tostring(drawn, encoding="unicode")


def _draw_dots(line: ElementTree.Element, titles: Sequence[str]) -> None:
    """Draw the markers of a line, which refer to one shape by its id, as circles with titles."""
    shape = line.find(f"{_SVG}defs/{_SVG}path")
    uses = line.findall(f"{_SVG}g/{_SVG}use")
    if shape is None:
        return
    radius = shape.attrib["d"].split()[2]  # it starts at its lowest point, "M 0 radius"
    for child in line.findall(f"{_SVG}defs") + line.findall(f"{_SVG}g"):
        line.remove(child)
    for use, title in zip(uses, titles, strict=True):
        place = {"cx": use.attrib["x"], "cy": use.attrib["y"], "r": radius, "style": use.attrib["style"]}
        dot = ElementTree.SubElement(line, f"{_SVG}circle", place)
        ElementTree.SubElement(dot, f"{_SVG}title").text = title
