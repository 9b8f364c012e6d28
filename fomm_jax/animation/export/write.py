"""The choice between the formats of exported animations."""

import dataclasses
import importlib.util
import os

from fomm_jax.animation.compiled_model import CompiledModel
from fomm_jax.animation.export.functions import check_exportable
from fomm_jax.animation.export.stablehlo import write_stablehlo
from fomm_jax.config.schema import Config, NormalizationConfig
from fomm_jax.config.validation import check_frame_size
from fomm_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """What an exported animation is made for."""

    size: tuple[int, int] | None = None  # height and width; None: those of the training frames
    normalization: NormalizationConfig | None = None  # None: that of `config.animate`
    half: bool = False  # whether the convolutions of ONNX compute in float16


def write_animation(
    path: str | os.PathLike[str], compiled: CompiledModel, config: Config, options: ExportOptions
) -> None:
    """Write the animation of a model for programs that know nothing of this package.

    Args:
      path: the file; ONNX if its name ends in .onnx, else StableHLO.
      compiled: the model.
      config: the configuration of the model.
      options: what the animation is made for.

    Raises:
      InputError: a package is missing, the file cannot be written, or an option is wrong.
    """
    shape = (*(options.size or config.dataset.frame_shape[:2]), config.model.num_channels)
    check_frame_size(config, *shape[:2])
    mode = options.normalization or config.animate.normalization
    check_exportable(compiled, mode)
    if os.fspath(path).endswith(".onnx"):
        _check_package("onnx")
        # The package is optional.
        from fomm_jax.animation.export.onnx_files import write_onnx

        write_onnx(path, compiled, mode, shape, half=options.half)
        return
    if options.half:
        raise InputError(f"half: expected a file that ends in .onnx, got {os.fspath(path)}")
    _check_package("flatbuffers")
    write_stablehlo(path, compiled, mode, shape)


def _check_package(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise InputError(
            f"export needs the package {name}, which is not installed: `pip install"
            " fomm_jax[export]`"
        )
