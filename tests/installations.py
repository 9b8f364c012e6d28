"""Environments with what pip would install for this project, made without a network."""

import functools
import importlib.metadata
import os
import pathlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[1]


@functools.cache
def installed():
    """The distributions that this interpreter has, by name."""
    return {canonicalize_name(d.metadata["Name"]): d for d in importlib.metadata.distributions()}


def requirements_of(lines: Iterable[str], extras: Iterable[str]):
    """Yield the name and the extras of each requirement that holds here."""
    for requirement in map(Requirement, lines):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield canonicalize_name(requirement.name), requirement.extras


def all_requirements(lines: Iterable[str], extras: Iterable[str] = ()):
    """Return the names of the distributions that lines of Requires-Dist ask for, in the end."""
    names, to_read = {}, [*requirements_of(lines, extras)]
    while to_read:
        name, its_extras = to_read.pop()
        if name in names and its_extras <= names[name]:
            continue
        names[name] = names.get(name, set()) | its_extras
        to_read += requirements_of(installed()[name].requires or (), names[name])
    return sorted(names)


def link_distribution(name: str, site_packages: pathlib.Path):
    """Link the files of an installed distribution into another folder of packages."""
    distribution = installed()[name]
    tops = {file.parts[0] for file in distribution.files if file.parts[0] != ".."}
    for top in sorted(tops):
        source, target = pathlib.Path(distribution.locate_file(top)), site_packages / top
        if not source.is_dir() or (source / "__init__.py").exists():
            target.symlink_to(source)
            continue
        # Other packages may have parts in this folder, as in google/.
        for file in distribution.files:
            if file.parts[0] == top and file.suffix != ".pyc":
                (site_packages / file).parent.mkdir(parents=True, exist_ok=True)
                (site_packages / file).symlink_to(distribution.locate_file(file))


def build(folder: pathlib.Path):
    """Build an sdist of the checkout, and a wheel from it; return both paths."""
    copy = folder / "source"
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")  # fmt: skip
    for file in filter(None, files):
        left_out = file.startswith(("tests/", "docs/", "notebooks/", "benchmarks/"))
        if not left_out and (ROOT / file).exists():
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, copy / file)
    code = "import sys; from setuptools.build_meta import build_sdist; build_sdist(sys.argv[1])"
    run([sys.executable, "-c", code, str(folder)], cwd=copy)
    (sdist,) = folder.glob("*.tar.gz")
    pip("wheel", "--no-build-isolation", "--no-deps", f"--wheel-dir={folder}", str(sdist))
    (wheel,) = folder.glob("*.whl")
    return sdist, wheel


def pip(command: str, *arguments: str, python: pathlib.Path | None = None):
    """Run pip without a network, for this environment or the one of another interpreter."""
    target = [] if python is None else [f"--python={python}"]
    options = ["--quiet", "--no-index", "--disable-pip-version-check"]
    run([sys.executable, "-m", "pip", *target, command, *options, *arguments])


def make_environment(folder: pathlib.Path, distribution: pathlib.Path, extras: Iterable[str] = ()):
    """Make an environment with an sdist or wheel, and what it and the extras require.

    Returns:
      The folder of its commands.
    """
    venv.create(folder, symlinks=True)
    (site_packages,) = folder.glob("lib/*/site-packages")
    bin_folder = folder / "bin"
    if distribution.name.endswith(".tar.gz"):
        link_distribution("setuptools", site_packages)  # which makes a wheel of it
    options = ["--no-deps", "--no-compile", "--no-build-isolation"]
    pip("install", *options, str(distribution), python=bin_folder / "python")
    (info,) = site_packages.glob("fomm_jax-*.dist-info")
    lines = importlib.metadata.Distribution.at(info).requires
    for name in all_requirements(lines, extras):
        link_distribution(name, site_packages)
    return bin_folder


def run(command: list, cwd: pathlib.Path | None = None, status: int = 0, **variables: str):
    """Run a command that must not know of the checkout; return what it writes, as one text."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    finished = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert finished.returncode == status, finished.stdout
    return finished.stdout
