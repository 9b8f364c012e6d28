"""The report page: what a browser would see of it, read by an HTML parser."""

import base64
import html.parser
import io
import urllib.parse

import numpy as np
import pytest
from PIL import Image

from fomm_jax.errors import InputError
from fomm_jax.reporting import page as report


class Page(html.parser.HTMLParser):
    """Tags with their attributes, the text, and whether every tag was closed."""

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


def write(tmp_path, *pieces):
    path = tmp_path / "new" / "report.html"
    report.write_page(path, "A & B", [("First <section>", pieces), ("Second", [])])
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
        report.paragraph(hostile),
        report.table([hostile], [[hostile], [report.link(hostile, hostile)]]),
        report.picture(np.zeros((2, 2, 3), np.uint8), hostile),
    )
    assert not page.all("script")
    assert page.text.count(hostile) == 5
    assert page.all("img")[0]["alt"] == hostile
    assert "First <section>" in page.text


def test_cells_are_shown_by_their_type(tmp_path):
    row = [3, 0.0123456, 12345.6, None, "x", float("nan")]
    page = write(tmp_path, report.table("abcdef", [row]))
    cells = [text for text in page.text if text.strip()][-7:-1]
    assert cells == ["3", "0.01235", "1.235e+04", "–", "x", "nan"]


def test_links_lead_to_files_with_any_name(tmp_path):
    name = "id19#clip 0?50%.mp4"
    (attributes,) = write(tmp_path, report.link(name, name)).all("a")
    parts = urllib.parse.urlsplit(attributes["href"])
    assert not parts.fragment
    assert not parts.query
    assert urllib.parse.unquote(parts.path) == name


def test_contact_sheet_holds_its_pictures_in_rows(tmp_path):
    levels = [[0, 60, 120], [180, 240, 30]]
    rows = [[np.full((16, 24, 3), level, np.uint8) for level in row] for row in levels]
    page = write(tmp_path, report.contact_sheet(rows, "faces"))
    sheet = picture_of(page.all("img")[0])
    assert sheet.shape == (32, 72, 3)
    shown = sheet.reshape(2, 16, 3, 24, 3).mean(axis=(1, 3, 4))
    np.testing.assert_allclose(shown, levels, atol=3)  # JPEG


@pytest.mark.parametrize("values", [{1: 5.0, 2: 0.5}, {1: 0.0, 2: 1.0}, {1: float("nan"), 2: 1.0}])
def test_plot_has_a_curve(tmp_path, values):
    page = write(tmp_path, report.plot({"loss": values}, "step", "loss", "caption"))
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

    class Recorded(report.Figure):
        def __init__(self, **settings):
            super().__init__(**settings)
            figures.append(self)

    monkeypatch.setattr(report, "Figure", Recorded)
    curve = dict(enumerate(values))
    report.plot({"theirs": curve, "ours": curve}, "step", "loss", "", dashed=["ours"])
    (axes,) = figures[0].axes
    assert axes.get_yscale() == scale
    assert [line.get_linestyle() for line in axes.get_lines()] == ["-", "--"]
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_nothing_is_loaded_from_elsewhere(tmp_path):
    page = write(tmp_path, report.plot({"loss": {1: 1.0}}, "step", "loss", ""))
    assert {tag for tag, _ in page.tags} == {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "figure", "img", "figcaption"
    }  # fmt: skip


def test_a_folder_that_cannot_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file/report\.html: cannot be written"):
        report.write_page(tmp_path / "file" / "report.html", "title", [])
