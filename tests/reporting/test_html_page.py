"""HTML pages have the right contents, as an HTML parser reads them."""

import base64
import html.parser
import io
import urllib.parse

import matplotlib.figure
import numpy as np
import pytest
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.reporting import html_page


class Page(html.parser.HTMLParser):
    """The tags of a page with their attributes, and its text. Every tag must be closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], [], []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def write(tmp_path, *elements):
    path = tmp_path / "new" / "report.html"
    html_page.write_page(path, "A & B", [("First <section>", elements), ("Second", [])])
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]
    return Page(path.read_text(encoding="utf-8"))


def picture_of(attributes):
    kind, data = attributes["src"].split(",")
    assert kind in ("data:image/jpeg;base64", "data:image/png;base64")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def test_text_cannot_become_markup(tmp_path):
    hostile = '<script>alert("&")</script>'
    page = write(
        tmp_path,
        html_page.paragraph(hostile),
        html_page.table([hostile], [[hostile], [html_page.link(hostile, hostile)]]),
        html_page.picture(np.zeros((2, 2, 3), np.uint8), hostile),
    )
    assert not page.all("script")
    assert page.text.count(hostile) == 5
    assert page.all("img")[0]["alt"] == hostile
    assert "First <section>" in page.text


def test_cells_are_shown_by_their_type(tmp_path):
    row = [3, 0.0123456, 12345.6, None, "x", float("nan")]
    page = write(tmp_path, html_page.table("abcdef", [row]))
    cells = [text for text in page.text if text.strip()][-7:-1]
    assert cells == ["3", "0.01235", "1.235e+04", "–", "x", "nan"]


def test_links_lead_to_files_with_any_name(tmp_path):
    name = "id19#clip 0?50%.mp4"
    (attributes,) = write(tmp_path, html_page.link(name, name)).all("a")
    parts = urllib.parse.urlsplit(attributes["href"])
    assert not parts.fragment
    assert not parts.query
    assert urllib.parse.unquote(parts.path) == name


def test_contact_sheet_holds_its_pictures_in_rows(tmp_path):
    levels = [[0, 60, 120], [180, 240, 30]]
    rows = [[np.full((16, 24, 3), level, np.uint8) for level in row] for row in levels]
    page = write(tmp_path, html_page.contact_sheet(rows, "faces"))
    sheet = picture_of(page.all("img")[0])
    assert sheet.shape == (32, 72, 3)
    shown = sheet.reshape(2, 16, 3, 24, 3).mean(axis=(1, 3, 4))
    np.testing.assert_allclose(shown, levels, atol=3)  # JPEG


@pytest.mark.parametrize("values", [{1: 5.0, 2: 0.5}, {1: 0.0, 2: 1.0}, {1: float("nan"), 2: 1.0}])
def test_plot_has_a_curve(tmp_path, values):
    page = write(tmp_path, html_page.plot({"loss": values}, "step", "loss", "caption"))
    assert picture_of(page.all("img")[0]).std() > 0
    assert "caption" in page.text


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ((3.0, 4.0), "linear"),
        ((3e-9, 4.0), "log"),
        ((0.0, 4.0), "linear"),
        ((1.0, np.inf), "linear"),
    ],
)
def test_plot_of_a_wide_range_is_logarithmic(values, scale, monkeypatch):
    figures = []

    class Recorded(matplotlib.figure.Figure):
        def __init__(self, **settings):
            super().__init__(**settings)
            figures.append(self)

    monkeypatch.setattr(matplotlib.figure, "Figure", Recorded)
    curve = dict(enumerate(values))
    html_page.plot({"first": curve, "second": curve}, "step", "loss", "", dashed=["second"])
    (axes,) = figures[0].axes
    assert axes.get_yscale() == scale
    assert [line.get_linestyle() for line in axes.get_lines()] == ["-", "--"]
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    page = write(tmp_path, html_page.plot({"loss": {1: 1.0}}, "step", "loss", ""))
    assert {tag for tag, _ in page.tags} == {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "figure", "img", "figcaption"
    }  # fmt: skip


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/report\.html: cannot be written"):
        html_page.write_page(tmp_path / "file" / "report.html", "title", [])
