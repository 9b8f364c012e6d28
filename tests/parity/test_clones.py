"""Clones of the originals are told apart, and get networks in place of torchvision's."""

import pytest
import thin_plate_reference as reference
from config_helpers import config_of

from fomm_jax.errors import InputError
from fomm_jax.parity.clones import check_clone, recognise_clone


def test_files_tell_whose_clone_it_is(tmp_path):
    with pytest.raises(InputError, match="expected a clone of first-order-model or Thin-Plate-"):
        recognise_clone(tmp_path)
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "inpainting_network.py").touch()
    assert recognise_clone(tmp_path) == "thin-plate"
    check_clone(tmp_path, config_of("tpsmm_tiny"))
    with pytest.raises(InputError, match=r"the original of the thin-plate model; expected that of"):
        check_clone(tmp_path, config_of("tiny"))


def test_resnet_gives_the_recorded_points():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from fomm_jax.parity.torch_networks import ResNet18, to_tensor

    recording = reference.tiny()
    recorded = recording.array("eval_float64/kp_driving/fg_kp")
    network = ResNet18(pretrained=False)
    network.fc = torch.nn.Linear(network.fc.in_features, recorded[0].size)
    weights = recording.checkpoint["kp_detector"]
    tensors = {
        key.removeprefix("fg_encoder."): torch.from_numpy(array) for key, array in weights.items()
    }
    network.load_state_dict(tensors)
    frames = to_tensor(recording.array("inputs/driving")[:2].transpose(0, 2, 3, 1).copy())
    with torch.no_grad():
        points = 2 * torch.sigmoid(network.double().eval()(frames.double())) - 1
    torch.testing.assert_close(
        points.reshape(recorded.shape), torch.from_numpy(recorded), rtol=0, atol=1e-12
    )
