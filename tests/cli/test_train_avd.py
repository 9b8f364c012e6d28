"""main.py trains the AVD network of a finished model."""

import numpy as np
import pytest
from commands import run_main
from config_helpers import config_of, with_fields
from flax import nnx

from fomm_jax.models.build import build_model
from fomm_jax.weights.load import load_pretrained
from fomm_jax.weights.save import save_weights

# ml_collections reads the file of --config in a way that importlib gives up.
pytestmark = pytest.mark.filterwarnings(r"ignore:the load_module\(\) method:DeprecationWarning")


@pytest.mark.slow
def test_the_avd_network_is_trained_beside_its_model(figures, tmp_path, capsys):
    config = with_fields(config_of("tpsmm_tiny"), dataset__root_dir=str(figures))
    weights = tmp_path / "weights.safetensors"
    save_weights(weights, build_model(config, rngs=nnx.Rngs(0)), config)
    command = (
        "--config=configs/tpsmm_tiny.py",
        "--mode=train_avd",
        f"--config.dataset.root_dir={figures}",
        "--config.train_avd.batch_size=8",
        f"--checkpoint={weights}",
        f"--workdir={tmp_path / 'W'}",
    )
    assert run_main(*command) == 0
    folder = tmp_path / "W" / "avd"
    printed = capsys.readouterr()
    assert f"starts anew with the networks of {weights}" in printed.err
    assert f"Trained 1 steps; checkpoints, event files and pictures are in {folder}" in printed.out
    before, after = load_pretrained(weights, config), load_pretrained(folder, config)

    def weight(model):
        return model.avd_network.decoder.linears[0].kernel[...]

    assert not np.array_equal(weight(before), weight(after))
    bias = before.kp_detector.encoder.last.bias[...]
    np.testing.assert_array_equal(after.kp_detector.encoder.last.bias[...], bias)
    assert run_main(*command) == 0
    assert "nothing to train" in capsys.readouterr().out
