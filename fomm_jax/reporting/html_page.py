"""HTML pages in one file each: tables, pictures, plots and links.

A page is a list of sections. A section has a title and a list of elements, which the functions
here make. They escape every text that they are given. Pictures become part of the file; films
are linked.
"""

import base64
import html
import io
import os
import urllib.parse
from collections.abc import Collection, Iterable, Sequence

import imageio.v3 as iio
import numpy as np

from fomm_jax.files import replacing
from fomm_jax.readable import readable
from fomm_jax.types import Curves


class Html(str):
    """Markup, which must not be escaped again."""


_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem;
       color: #1b1b1b; background: #fff }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right }
thead th { position: sticky; top: 0; background: #f4f4f4 }
figure { margin: 1rem 0 } img { max-width: 100% } figcaption { color: #555 }
"""


def paragraph(text: str) -> Html:
    """Make a paragraph of plain text."""
    return Html(f"<p>{html.escape(text)}</p>")


def link(text: str, path: str) -> Html:
    """Make a link to a file.

    Args:
      text: the text to click on.
      path: the file's path relative to the page, with any characters.
    """
    return Html(f'<a href="{urllib.parse.quote(os.fsencode(path))}">{html.escape(text)}</a>')


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """Make a table.

    Args:
      columns: the titles of the columns.
      rows: the cells of each row, one for each column. A whole number is shown as it is, a float
        with four significant digits, None as a dash, `Html` as markup, anything else as text.
    """
    head = "".join(f"<th>{html.escape(title)}</th>" for title in columns)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return Html(
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def picture(pixels: np.ndarray, caption: str) -> Html:
    """Make a figure of a picture, (h, w, 3) uint8, which becomes a JPEG in the page."""
    jpeg = iio.imwrite("<bytes>", pixels, plugin="pillow", extension=".jpg", quality=90)
    return _figure(jpeg, "image/jpeg", caption)


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], caption: str) -> Html:
    """Make one figure of many pictures.

    Args:
      rows: the pictures of each row, all (h, w, 3) uint8 of one size. The rows have one length.
      caption: the text below the figure.
    """
    return picture(np.concatenate([np.concatenate(row, axis=1) for row in rows]), caption)


def plot(
    curves: Curves, x_label: str, y_label: str, caption: str, *, dashed: Collection[str] = ()
) -> Html:
    """Make a figure that shows curves over a shared horizontal axis.

    The vertical axis is logarithmic if all values are above 0 and span more than a factor of 10.

    Args:
      curves: the curves by name, which the legend shows.
      x_label: the label of the horizontal axis.
      y_label: the label of the vertical axis.
      caption: the text below the figure.
      dashed: the names of the curves to draw dashed. A curve below them stays visible.
    """
    from matplotlib.figure import Figure  # slow to import, and only plots need it
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        axes.plot(
            list(curve),
            list(curve.values()),
            label=name,
            marker="." if len(curve) < 9 else "",
            linestyle="--" if name in dashed else "-",
        )
    values = [y for curve in curves.values() for y in curve.values() if np.isfinite(y)]
    is_wide = 0 < 10 * min(values, default=0) < max(values, default=0)
    axes.set(xlabel=x_label, ylabel=y_label, yscale="log" if is_wide else "linear")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend()
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return _figure(data.getvalue(), "image/png", caption)


def write_page(
    path: str | os.PathLike[str], title: str, sections: Iterable[tuple[str, Sequence[Html]]]
) -> None:
    """Write a page.

    Args:
      path: the file to write. It appears only when it is complete.
      title: the title of the page.
      sections: the title and the elements of each section.

    Raises:
      InputError: the file cannot be written.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for heading, elements in sections:
        parts += [f"<h2>{html.escape(heading)}</h2>", *elements]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
    with replacing(path) as unfinished:
        unfinished.write_text(readable(page), encoding="utf-8")


def _cell(value: object) -> str:
    if value is None:
        return '<td class="number">–</td>'
    if isinstance(value, int | float):
        return f'<td class="number">{value:{".4g" if isinstance(value, float) else ""}}</td>'
    return f"<td>{value if isinstance(value, Html) else html.escape(str(value))}</td>"


def _figure(data: bytes, media_type: str, caption: str) -> Html:
    source = f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"
    text = html.escape(caption, quote=True)
    return Html(
        f'<figure><img src="{source}" alt="{text}"><figcaption>{text}</figcaption></figure>'
    )
