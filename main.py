"""Train a model, reconstruct test videos, animate pictures; see README.md.

    python main.py --config=configs/actions_64.py --workdir=W --mode=train
"""

import sys

from absl import app, flags
from ml_collections import config_flags

from fomm_jax.config_dict import from_config_dict
from fomm_jax.errors import InputError

CONFIG = config_flags.DEFINE_config_file("config", None, "File of configs/, with get_config().")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder for checkpoints, event files, pictures.")
MODE = flags.DEFINE_enum("mode", "train", ["train", "reconstruct", "animate"], "What to do.")
CHECKPOINT = flags.DEFINE_string("checkpoint", None, "Checkpoint; default: workdir's newest.")


def train_mode():
    from fomm_jax.perceptual_weights import load_vgg
    from fomm_jax.train import train
    from input_pipeline.loader import steps_per_epoch, training_batches

    config = from_config_dict(CONFIG.value)
    t = config.train
    vgg = load_vgg(config.perceptual)
    per_epoch = steps_per_epoch(config.dataset, batch_size=t.batch_size, num_repeats=t.num_repeats)
    batches = training_batches(config.dataset, batch_size=t.batch_size, num_repeats=t.num_repeats, seed=t.seed)
    train(config, WORKDIR.value, batches, per_epoch, vgg)


def main(argv):
    del argv
    train_mode()


if __name__ == "__main__":
    app.run(main)
