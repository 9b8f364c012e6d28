"""Build the page that animates pictures in a browser, without a server.

    npm pack onnxruntime-web@1.30.0
    python -m web.build --onnxruntime_web=onnxruntime-web-1.30.0.tgz --output=site
    python -m http.server --directory=site

Any server of files will do, also one for static pages. The folder has the page, the model as ONNX,
drawn samples, and the part of onnxruntime-web that the page needs: 40 MB, of which a browser loads
the half that suits it.
"""

import argparse
import base64
import hashlib
import shutil
import tarfile
from pathlib import Path

from fomm_jax import console
from fomm_jax.animation.animator import Animator
from fomm_jax.cli.page.examples import draw_examples
from fomm_jax.config.schema import NormalizationConfig
from fomm_jax.errors import InputError, one_line_errors
from fomm_jax.files import reading
from input_pipeline.folders import new_folder

VERSION = "1.30.0"
# SHA-512 in base64, as `npm view onnxruntime-web@VERSION dist.integrity` shows it.
CHECKSUM = (
    "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
)
# For graphics cards, and for processors.
RUNTIME = (
    "ort.webgpu.min.mjs",
    "ort-wasm-simd-threaded.asyncify.mjs",
    "ort-wasm-simd-threaded.asyncify.wasm",
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
PAGE = ("index.html", "style.css", "page.js", "model.js")


def unpack_runtime(tarball: Path, folder: Path) -> None:
    """Copy what the page needs of onnxruntime-web.

    Raises:
      InputError: the tarball is not that of `VERSION`.
    """
    with reading(tarball, f"expected onnxruntime-web-{VERSION}.tgz"):
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if digest != CHECKSUM:
        raise InputError(
            f"{tarball}: has another checksum than onnxruntime-web {VERSION}; expected the file of"
            f" `npm pack onnxruntime-web@{VERSION}`"
        )
    folder.mkdir()
    with tarfile.open(tarball) as archive:
        for name in RUNTIME:
            member = archive.extractfile(f"package/dist/{name}")
            assert member is not None, "the checksum fits"
            with member, (folder / name).open("wb") as file:
                shutil.copyfileobj(member, file)


def build(output: Path, tarball: Path, animator: Animator) -> None:
    """Write the folder.

    Raises:
      InputError: the folder cannot be made, or the tarball is another one.
    """
    with new_folder(output) as folder:
        unpack_runtime(tarball, folder / "onnxruntime")
        for name in PAGE:
            shutil.copyfile(Path(__file__).with_name(name), folder / name)
        animator.export(folder / "model.onnx", normalization=NormalizationConfig())
        # The page encodes a picture once, and needs only the parts.
        (folder / "model.onnx").unlink()
        (folder / "samples").mkdir()
        draw_examples(folder / "samples")


def main(arguments: list[str] | None = None) -> None:
    """Run the command that the head of this file describes."""
    parser = argparse.ArgumentParser(description="Build the page that animates pictures.")
    parser.add_argument("--onnxruntime_web", type=Path, required=True, help="the npm tarball")
    parser.add_argument("--output", type=Path, required=True, help="a new folder")
    parser.add_argument("--checkpoint", help="the model; default: the demo model")
    options = parser.parse_args(arguments)
    console.show_messages()
    with one_line_errors():
        checkpoint = options.checkpoint
        animator = Animator.from_checkpoint(checkpoint) if checkpoint else Animator.demo()
        build(options.output, options.onnxruntime_web, animator)
    print(f"{options.output}: try it with `python -m http.server --directory={options.output}`")


if __name__ == "__main__":
    main()
