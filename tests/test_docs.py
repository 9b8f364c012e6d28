"""The documentation: links lead somewhere, and the commands name what exists."""

import ast
import importlib
import json
import re
from pathlib import Path

import pytest
from absl import flags
from test_architecture import ORDER, VOCABULARY

import main  # noqa: F401  # defines the flags
from fomm_jax.cli.config_names import find_file
from fomm_jax.cli.flags import MODES
from fomm_jax.config.parsing import check_field
from fomm_jax.models.motion_model import MotionModel

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
README_LINES = 150
FILM_BYTES = 2_000_000

MODULES = (
    "convert_torch_weights",
    "input_pipeline.prepare",
    "input_pipeline.figures",
    "web.build",
    *(f"benchmarks.{path.stem}" for path in sorted((ROOT / "benchmarks").glob("[!_]*.py"))),
)
# absl's help, Docker, Slurm: the text mentions them.
OTHERS = {"help", "build-arg", "gpus", "shm-size", "signal"}
# Files and folders of the project in running text; names in capitals are for the reader to fill in.
PATH = re.compile(
    r"(?<![\w./-])(?:fomm_jax|input_pipeline|configs|benchmarks|deploy|tests|docs|notebooks|web|examples)/"
    r"[\w./-]*(?:\.(?:py|md|npz|ipynb|png|gif|sh|sbatch|yaml)|/)(?![\w*])"
)
DOTTED = re.compile(r"(?<![\w/.])(?:fomm_jax|input_pipeline|benchmarks)(?:\.\w+)+(?![\w/(])")

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def fenced(text, language):
    """Return the contents of the fenced code blocks in a language, "" for those without one."""
    blocks = re.findall(r"^( *)```(\w*)\n(.*?)^ *```$", text, re.M | re.S)
    return [
        "\n".join(line.removeprefix(indent) for line in block.splitlines())
        for indent, tag, block in blocks
        if tag == language
    ]


def without_fences(text):
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.M | re.S)


def prose(text):
    """Return the text without its code blocks."""
    return re.sub(r"^    .*$", "", without_fences(text), flags=re.M)


def commands(text):
    """Return the command lines of a page: those of code blocks and those within sentences."""
    blocks = [line[4:] for line in without_fences(text).splitlines() if line.startswith("    ")]
    lines = "\n".join([*blocks, *fenced(text, "bash"), *fenced(text, "")]).replace("\\\n", " ")
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]
    parts = [part for line in lines.splitlines() for part in re.split(r"&&|;|\|", line)]
    return [re.sub(r"(^|\s)#.*", "", part).strip() for part in (*parts, *spans)]


def options(command):
    """Return the options of a command by name, with the value after "=" or None."""
    pairs = re.findall(r"(?:^|\s)--([a-zA-Z][\w.-]*)(?:=([^\s\"']*))?", command)
    return {name: value or None for name, value in pairs}


def module_of(command):
    """Return the module that a command runs; None for programs that are not of this project."""
    if called := re.search(r"python -m ((?:benchmarks|input_pipeline|web)\.\w+)", command):
        return called[1]
    if re.search(r"(^|[\s/\"])main\.py\b|^\$T ", command):  # $T is a shell variable of demo_model
        return "main"
    if called := re.match(r"fomm-jax (prepare|figures)\b", command):
        return f"input_pipeline.{called[1]}"
    if re.match(r"fomm-jax\b(?!-)", command):
        return "main"
    converts = ("convert_torch_weights.py", "fomm-jax-convert")
    return "convert_torch_weights" if any(name in command for name in converts) else None


def source_of(module):
    """Return the file of a module of the project, for a package that of its program."""
    if module == "convert_torch_weights":
        return ROOT / "fomm_jax" / "cli" / "convert.py"
    path = ROOT / module.replace(".", "/")
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")


def exists(name):
    """Return whether a dotted name is a module of the project, or something in one."""
    name = re.sub(r"^fomm_jax\.(?=configs|input_pipeline)", "", name)  # where a wheel has them
    path = ROOT / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    module, _, attribute = name.rpartition(".")
    return exists(module) and hasattr(importlib.import_module(module), attribute)


def options_of(module):
    """Return the names of the options that a program other than main.py defines."""
    files = [source_of(module)]
    if module.startswith("benchmarks."):
        files.append(ROOT / "benchmarks" / "command_line.py")
    calls = [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
    names = set()
    for call in calls:
        if not isinstance(call, ast.Call):
            continue
        # The kind of a flag may come before its name.
        constants = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
        if constants:
            function, first = ast.unparse(call.func), str(constants[0])
            if function.startswith(("flags.DEFINE", "config_flags.DEFINE")):
                names.add(first)
            elif first.startswith("--"):
                names.add(first.removeprefix("--"))
    return names


def is_flag_of_main(name):
    return name in flags.FLAGS or name.removeprefix("no") in flags.FLAGS


def headings(page):
    """Return the anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", without_fences(page.read_text()), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(text):
    text = without_fences(text)
    return [
        *re.findall(r"\]\(([^)\s]+)\)", text),
        *re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.M),
        *re.findall(r"<img src=\"([^\"]+)\"", text),
    ]


@by_page
def test_links_lead_to_files_and_headings(page):
    for link in links(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in headings(target), link


def test_every_page_can_be_reached_from_the_readme():
    reached, to_read = set(), [PAGES[0]]
    while to_read:
        page = to_read.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        targets = [link.partition("#")[0] for link in links(page.read_text())]
        to_read += [(page.parent / name).resolve() for name in targets if name.endswith(".md")]
    assert set(PAGES) <= reached


def test_the_readme_is_short_and_moves():
    assert len(PAGES[0].read_text().splitlines()) <= README_LINES
    films = [ROOT / link for link in links(PAGES[0].read_text()) if link.endswith(".gif")]
    assert films
    assert all(film.stat().st_size < FILM_BYTES for film in films)


@by_page
def test_paths_and_modules_in_the_text_exist(page):
    for path in PATH.findall(page.read_text()):
        assert (ROOT / path).exists() or re.search(r"/[A-Z]+\.", path), path
    for name in DOTTED.findall(page.read_text()):
        if re.search(r"\.(py|md|npz|html)$", name):
            continue
        assert exists(name), name


@by_page
def test_commands_name_modules_modes_flags_and_files_that_exist(page):
    known = {name for module in MODULES for name in options_of(module)}
    for command in commands(page.read_text()):
        module = module_of(command)
        if module is None and not command.startswith("--"):
            continue
        if module is not None:
            assert source_of(module).is_file(), command
        for name, value in options(command).items():
            if name.startswith("config."):
                check_field(name)
            elif module not in (None, "main"):
                assert name in options_of(module), command
            elif module == "main":
                assert is_flag_of_main(name), command
            else:
                assert is_flag_of_main(name) or name in known | OTHERS, command
            if name == "mode" and value is not None:
                assert value in MODES, command
            if name == "config" and value is not None and value != value.upper():
                assert Path(find_file(value).partition(":")[0]).is_file(), command


@by_page
def test_make_knows_the_targets(page):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    for command in commands(page.read_text()):
        for target in re.findall(r"(?:^|\s)make (\w+)$", command):
            assert target in targets, command


def python_code():
    """Yield the Python code of the pages and notebooks, as (name, code)."""
    for page in PAGES:
        text = page.read_text()
        heredocs = re.findall(r"<<'END'\n(.*?)^    END$", text, re.M | re.S)
        for block in (
            *fenced(text, "python"),
            *(re.sub(r"^    ", "", h, flags=re.M) for h in heredocs),
        ):
            yield page.name, block
    for notebook in NOTEBOOKS:
        for cell in json.loads(notebook.read_text())["cells"]:
            if cell["cell_type"] == "code":
                yield notebook.name, "".join(cell["source"])


def test_imports_of_code_in_pages_and_notebooks_resolve():
    checked = 0
    for name, code in python_code():
        for node in ast.walk(ast.parse(code)):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            if node.module.split(".")[0] not in ("fomm_jax", "input_pipeline", "configs"):
                continue
            for alias in node.names:
                assert exists(f"{node.module}.{alias.name}"), f"{name}: {ast.unparse(node)}"
                checked += 1
    assert checked > 10


def test_every_configuration_is_in_the_table():
    table = (ROOT / "docs" / "configurations.md").read_text()
    for path in (ROOT / "configs").glob("[!_]*.py"):
        if not path.stem.endswith("base"):  # is no model
            assert re.search(rf"`{path.stem}(\.py:PATH)?`", table), path.name


def test_the_architecture_page_names_functions_where_they_are():
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\|[^|]*\| `(\w+)` \| `([\w/]+\.py)` \|$", page, re.M)
    assert len(rows) > 20
    for name, path in rows:
        definitions = ast.parse((ROOT / path).read_text()).body
        assert name in {getattr(definition, "name", None) for definition in definitions}, path


def test_the_architecture_page_explains_the_interface_of_motion_models():
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition("## The interface of motion models")[2]
    names = re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", section, re.M)))
    assert set(names) == MotionModel.__abstractmethods__


def test_the_architecture_page_has_the_order_of_imports():
    page = (ROOT / "docs" / "architecture.md").read_text()
    lines = [re.findall(r"`([\w.]+)`", line) for line in re.findall(r"^\d+\. (.*)$", page, re.M)]
    vocabulary = {name.removeprefix("fomm_jax.") for name in VOCABULARY}
    expected = [{room.removeprefix("fomm_jax.") for room in rooms} for rooms in ORDER]
    expected = [vocabulary if rooms == {"vocabulary"} else rooms for rooms in expected]
    assert [{name.removesuffix(".py") for name in line} for line in lines] == expected
