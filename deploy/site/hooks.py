"""What MkDocs adds to the pages in docs/: those at the top of the repository, and the reference.

The pages are written to be read in the repository. Their links to files outside docs/ lead, on the
site, to copies of these files.
"""

import ast
import os
import pathlib
import re
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parents[2]
# Where the site has a file of the repository, other than those in docs/.
PLACES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(\]\(|<img src=\")(?!https?://|#)([^)#\"\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages at the top of the repository, files that pages link to, and the reference."""
    pages = [ROOT / name for name in PLACES] + sorted((ROOT / "docs").glob("*.md"))
    linked = {target for page in pages for target in linked_files(page)}
    for file in sorted(linked | set(PLACES)):
        if not file.startswith("docs/"):
            files.append(File.generated(config, place_of(file), abs_src_path=str(ROOT / file)))
    for uri in re.findall(r"api/[\w.]+\.md", str(config.nav)):
        name = pathlib.PurePath(uri).stem
        files.append(File.generated(config, uri, content=reference(name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the repository into links between files of the site."""
    folder = os.path.dirname(repository_path(page.file.src_uri))
    base = os.path.dirname(page.file.src_uri)

    def replace(match: re.Match[str]) -> str:
        target = place_of(os.path.normpath(os.path.join(folder, match[2])))
        return match[1] + os.path.relpath(target, base or ".")

    return LINK.sub(replace, markdown)


def linked_files(page: pathlib.Path) -> Iterator[str]:
    """Yield the files that a page links to, as paths in the repository."""
    for _, target in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve()
        if path.is_file():
            yield path.relative_to(ROOT).as_posix()


def place_of(file: str) -> str:
    """Return where the site has a file of the repository."""
    return PLACES.get(file, file.removeprefix("docs/"))


def repository_path(uri: str) -> str:
    """Return the file of the repository that a page of the site was made from."""
    places = {place: file for file, place in PLACES.items()}
    return places.get(uri, f"docs/{uri}")


def reference(name: str) -> str:
    """Return the text of a page of the reference: the public names, or all of a package."""
    if name != "fomm_jax":
        return f"# {name}\n\n::: {name}\n    options:\n      show_root_heading: false\n"
    tree = ast.parse((ROOT / "fomm_jax" / "__init__.py").read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {
        alias.name: f"{node.module}.{alias.name}"
        for node in imports
        if node.module and node.module.startswith("fomm_jax.")
        for alias in node.names
    }
    lines = [f"- [`{name}`][{full_name}]" for name, full_name in names.items()]
    return "# Public names\n\n`fomm_jax` has these names:\n\n" + "\n".join(lines) + "\n"
