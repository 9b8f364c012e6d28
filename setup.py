"""Build wheels in which `configs` and `input_pipeline` lie inside `fomm_jax`.

At the top of site-packages, such names could meet those of other projects. In a clone, and in an
editable installation of one, the folders stay where they are. setup.cfg has everything else.
"""

import pathlib
import re

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

# How files of the wheel differ from those of the clone: names of modules, commands and configs.
CHANGES = (
    (r"^(\s*)import (configs|input_pipeline)$", r"\1from fomm_jax import \2"),
    (r"^(\s*from )(configs|input_pipeline)\b", r"\1fomm_jax.\2"),
    (r'"input_pipeline\.(?=\w+[."])', '"fomm_jax.input_pipeline.'),  # for import_module
    (r"python -m input_pipeline\.(prepare|figures)", r"fomm-jax \1"),
    (r"python main\.py", "fomm-jax"),
    (r"(?:python )?convert_torch_weights\.py", "fomm-jax-convert"),
    (r"\bconfigs/(\w+)\.py", r"\1"),
)


class BuildPy(build_py):
    """Copies the packages to where a wheel has them, with the names that they have there."""

    def get_module_outfile(self, build_dir, package, module):
        """Return the path of a module in the wheel."""
        inside = package if package[0] == "fomm_jax" else ["fomm_jax", *package]
        return super().get_module_outfile(build_dir, inside, module)

    def build_module(self, module, module_file, package):
        """Copy a module, and change the names in it."""
        path, copied = super().build_module(module, module_file, package)
        text = pathlib.Path(path).read_text(encoding="utf-8")
        for pattern, replacement in CHANGES:
            text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
        pathlib.Path(path).write_text(text, encoding="utf-8")
        return path, copied


class BdistWheel(bdist_wheel):
    """Writes a wheel whose metadata names the one package at the top."""

    def egg2dist(self, egginfo_path, distinfo_path):
        """Write the metadata."""
        super().egg2dist(egginfo_path, distinfo_path)
        pathlib.Path(distinfo_path, "top_level.txt").write_text("fomm_jax\n")


setup(cmdclass={"build_py": BuildPy, "bdist_wheel": BdistWheel})
