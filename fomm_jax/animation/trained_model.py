"""A trained model: from a file, a folder or the hub, and back to a file or the hub."""

import os
from typing import Self

import jax

from fomm_jax.animation.compiled_model import CompiledModel, programs_of
from fomm_jax.config.schema import Config
from fomm_jax.errors import InputError
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.ops.convolution import choose_convolutions
from fomm_jax.user_paths import HUB_PREFIX
from fomm_jax.weights.hub import local_path
from fomm_jax.weights.load import demo_weights, load_config, load_pretrained
from fomm_jax.weights.publish import publish
from fomm_jax.weights.save import save_weights


class TrainedModel:
    """A trained model, ready to compute; `Animator` animates with it.

    Attributes:
      config: the configuration of the model.
      batch_size: frames per call of the networks.
    """

    def __init__(
        self,
        model: MotionModel,
        config: Config,
        *,
        batch_size: int | None = None,
        same_scene: bool = False,
    ):
        """Take a trained model.

        Args:
          model: the trained model; it needs no discriminator.
          config: the configuration of the model.
          batch_size: frames animated together, after the first; default: that of `config.animate`.
          same_scene: whether `compare` will get the source's own video, as in a reconstruction.
        """
        self.config = config
        self.batch_size = config.animate.batch_size if batch_size is None else batch_size
        if self.batch_size < 1:
            raise InputError(f"batch_size: expected at least 1, got {self.batch_size}")
        convolutions = choose_convolutions(jax.devices())
        self._model = CompiledModel(model, config, convolutions, same_scene=same_scene)

    @classmethod
    def from_checkpoint(
        cls,
        path: str | os.PathLike[str],
        config: Config | None = None,
        *,
        batch_size: int | None = None,
        same_scene: bool = False,
    ) -> Self:
        """Load the networks of a checkpoint.

        Args:
          path: a workdir or a folder of checkpoints, whose newest checkpoint is taken; a single
            checkpoint; a file that `save` wrote; a file of the original (.pth.tar); or a model on
            the hub (hf:ORGANISATION/NAME or hf:ORGANISATION/NAME@REVISION).
          config: the configuration; needed for a file that stores none, such as the original's.
          batch_size, same_scene: as in `Animator`.

        Raises:
          InputError: the checkpoint is missing, damaged or does not fit, or `config` is needed.
        """
        path = local_path(path)
        config = config or load_config(path)
        programs = programs_of(config, choose_convolutions(jax.devices()))
        programs.compile_ahead(1, same_scene=same_scene)
        model = load_pretrained(path, config)
        return cls(model, config, batch_size=batch_size, same_scene=same_scene)

    @classmethod
    def from_pretrained(
        cls, repository: str, *, revision: str | None = None, batch_size: int | None = None
    ) -> Self:
        """Load a model from the Hugging Face Hub, or from its cache where there is no network.

        Args:
          repository: its name on the hub, ORGANISATION/NAME.
          revision: a branch, a tag or a commit; default: the main branch.
          batch_size: as in `Animator`.

        Raises:
          InputError: the model cannot be fetched, or the package huggingface_hub is missing
            (fomm_jax[hub]).
        """
        address = f"{HUB_PREFIX}{repository}" + (f"@{revision}" if revision else "")
        return cls.from_checkpoint(address, batch_size=batch_size)

    @classmethod
    def demo(cls, *, batch_size: int | None = None) -> Self:
        """Load the small model that comes with the package (docs/demo_model.md).

        Raises:
          InputError: this installation lacks it.
        """
        with demo_weights() as path:
            return cls.from_checkpoint(path, batch_size=batch_size)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write weights and configuration to one file, .safetensors or .npz.

        Raises:
          InputError: the file cannot be written, or its name ends in another way.
        """
        save_weights(path, self._model.portable(), self.config)

    def push_to_hub(
        self, repository: str, *, trained_on: str, licence: str, private: bool = False
    ) -> None:
        """Send the model to the Hugging Face Hub, with a card that says what it may be used for.

        The paths in the configuration stay here.

        Args:
          repository: its name on the hub, ORGANISATION/NAME; a new one is made.
          trained_on: for the card, what the model was trained on and how, in sentences.
          licence: the licence of the weights by the hub's name for it, such as "cc-by-4.0".
          private: whether a new repository is private.

        Raises:
          InputError: the hub cannot be reached or refuses, or huggingface_hub is missing.
        """
        publish(repository, self._model.portable(), self.config, trained_on, licence, private)
