"""The folders of the project and what they may import, as docs/architecture.md describes them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# A room may import from itself and from the lines before its own.
ORDER = (
    {"vocabulary"},
    {"fomm_jax.ops", "fomm_jax.config"},
    {"fomm_jax.models", "fomm_jax.provenance", "fomm_jax.reporting", "configs"},
    {"fomm_jax.media"},
    {"fomm_jax.weights", "input_pipeline"},
    {"fomm_jax.training", "fomm_jax.animation"},
    {"fomm_jax.rendering", "fomm_jax.evaluation", "fomm_jax.parity"},
    {"fomm_jax.live"},
    {"fomm_jax.cli"},
    {"main", "convert_torch_weights", "benchmarks", "web"},
)
VOCABULARY = {
    f"fomm_jax.{module}"
    for module in (
        "types",
        "readable",
        "errors",
        "user_paths",
        "bucket_client",
        "buckets",
        "files",
        "console",
        "signals",
        "memory",
    )
}
FILE_LINES, FUNCTION_LINES, PARAMETERS = 300, 60, 6  # at most
LINE_OF = {room: number for number, rooms in enumerate(ORDER) for room in rooms}
FOLDERS = ("fomm_jax", "input_pipeline", "configs", "benchmarks", "web")
SOURCES = [
    *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))),
    ROOT / "main.py",
    ROOT / "convert_torch_weights.py",
]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ALL_FILES = [*SOURCES, *EXAMPLES, *sorted((ROOT / "tests").rglob("*.py"))]


def room_of(module: str) -> str | None:
    """Return the room of a module of the project; None for other modules."""
    parts = module.split(".")
    if parts[0] == "fomm_jax":
        room = ".".join(parts[:2])
        return "vocabulary" if room in VOCABULARY else room if room in LINE_OF else None
    return parts[0] if parts[0] in LINE_OF else None


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import; expected the module's full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    """Yield the functions and methods of a file."""
    yield from (
        node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)
    )


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    room = room_of(module)
    if room is None or module == "fomm_jax.__init__":  # the public names, from everywhere
        pytest.skip("the list of public names imports from every room")
    for other in map(room_of, imported_modules(path)):
        if other is not None and other != room:
            assert LINE_OF[other] < LINE_OF[room], f"{module} imports from {other}"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_need_nothing_of_the_project(path):
    assert not {*imported_modules(path)} & {"flax"}
    assert not [name for name in imported_modules(path) if room_of(name)]


def test_every_file_is_in_a_room():
    modules = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in SOURCES]
    lost = [name for name in modules if room_of(name) not in LINE_OF]
    assert lost == ["fomm_jax.__init__"]


def test_files_and_functions_are_short():
    for path in ALL_FILES:
        assert len(path.read_text().splitlines()) <= FILE_LINES, path
        for function in functions(path):
            lines = function.end_lineno - function.lineno + 1
            assert lines <= FUNCTION_LINES, f"{path}: {function.name} has {lines} lines"


def test_long_lists_of_parameters_have_their_reason_in_the_docstring():
    for path in ALL_FILES:
        for function in functions(path):
            arguments = function.args
            names = [
                argument.arg
                for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
                if argument.arg not in ("self", "cls")
            ]
            reason = "parameters because" in (ast.get_docstring(function) or "")
            assert len(names) <= PARAMETERS or reason, f"{path}: {function.name} takes {names}"
