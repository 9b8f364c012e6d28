"""A page of HTML in one file: tables, pictures, plots, links.

A page is a list of sections, a section a title and pieces that the functions here make; whatever
they are given as text is escaped. Pictures are part of the file, films are linked.
"""

import base64
import html
import io
import os
import urllib.parse
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from fomm_jax.files import replacing


class Html(str):
    """Markup, not to be escaped any more."""


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
    """A paragraph of plain text."""
    return Html(f"<p>{html.escape(text)}</p>")


def link(text: str, path: str) -> Html:
    """A link to a file, by its path relative to the page."""
    return Html(f'<a href="{urllib.parse.quote(path)}">{html.escape(text)}</a>')


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Html:
    """A table.

    Args:
      columns: their titles.
      rows: a cell for each column. Whole numbers are shown as they are, floats to four significant
        digits, None as a dash, `Html` as markup, all else as text.
    """
    head = "".join(f"<th>{html.escape(title)}</th>" for title in columns)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return Html(
        f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def picture(pixels: np.ndarray, caption: str) -> Html:
    """A picture, (h, w, 3) uint8, as JPEG."""
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=90)
    return _figure(data.getvalue(), "image/jpeg", caption)


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], caption: str) -> Html:
    """Pictures of one size, (h, w, 3) uint8, in rows of one length."""
    return picture(np.concatenate([np.concatenate(row, axis=1) for row in rows]), caption)


def plot(
    curves: Mapping[str, Mapping[int, float]],
    x_label: str,
    y_label: str,
    caption: str,
    *,
    dashed: Collection[str] = (),
) -> Html:
    """Curves {name: {x: y}} over a shared axis, y logarithmic from a tenfold range on, above 0.

    Those whose names are in `dashed` leave another one visible beneath them.
    """
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
      path: of the file, which appears only when it is whole.
      title: of the page.
      sections: the title of each, and what is in it.

    Raises:
      InputError: nothing can be written there.
    """
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for heading, pieces in sections:
        parts += [f"<h2>{html.escape(heading)}</h2>", *pieces]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )
    with replacing(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _cell(value: object) -> str:
    if value is None:
        return '<td class="number">–</td>'
    if isinstance(value, int | float):
        return f'<td class="number">{value:{".4g" if isinstance(value, float) else ""}}</td>'
    return f"<td>{value if isinstance(value, Html) else html.escape(str(value))}</td>"


def _figure(data: bytes, kind: str, caption: str) -> Html:
    source = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    text = html.escape(caption, quote=True)
    return Html(
        f'<figure><img src="{source}" alt="{text}"><figcaption>{text}</figcaption></figure>'
    )
