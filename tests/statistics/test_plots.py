"""The plots in docs/plots are those of the stored results, and are sound SVG."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.plots.__main__ import FOLDER, drawn

DRAWN = drawn()


@pytest.mark.parametrize("name", sorted(DRAWN))
def test_a_plot_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == DRAWN[name], "draw it anew: make plots"
    root = ElementTree.fromstring(DRAWN[name])
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for element in root.iter():
        for key, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            assert 0.0 <= float(element.attrib.get(key, 0.0)) <= most


def test_every_plot_is_shown_in_the_docs() -> None:
    root = FOLDER.parents[1]
    pages = [root / "docs" / "statistics.md", root / "benchmarks" / "README-quality.md"]
    text = "".join(page.read_text() for page in pages)
    assert {path.name for path in FOLDER.glob("*.svg")} == set(DRAWN)
    assert all(f"plots/{name}" in text for name in DRAWN)
