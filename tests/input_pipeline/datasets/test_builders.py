"""What the builders of all datasets have in common."""

from pathlib import Path

import numpy as np
import pytest
from raw_videos import read_all, write_video

from fomm_jax.errors import InputError
from input_pipeline.datasets.preparation import DATASETS, prepare_dataset
from input_pipeline.manifest import Encoding
from input_pipeline.prepared import list_prepared_videos


def test_mgif_is_prepared_from_its_two_folders(tmp_path):
    raw = tmp_path / "moving-gif"
    expected = {
        split: read_all(write_video(raw / split / f"{name}.gif", 4, 10.0, 32, 32))
        for split, name in (("train", "00001"), ("test", "00002"))
    }
    folder = prepare_dataset("mgif", raw, tmp_path / "out", Encoding(32, 32), num_workers=1)
    (train,), (test,) = list_prepared_videos(str(folder))
    assert (train.name, test.name, test.fps) == ("00001.gif", "00002.gif", 10.0)
    np.testing.assert_array_equal(read_all(train), expected["train"])
    np.testing.assert_array_equal(read_all(test), expected["test"])


@pytest.mark.parametrize("name", ["bair", "mgif", "nemo"])
def test_folder_without_both_parts_is_refused(tmp_path, name):
    write_video(tmp_path / "train" / "a.mp4", 2, 25.0)
    with pytest.raises(InputError, match=r"has no folder test; expected train and test in it"):
        DATASETS[name].select_clips(tmp_path)
    write_video(tmp_path / "test" / "b.mp4", 2, 25.0)
    selection = DATASETS[name].select_clips(tmp_path)
    assert [(clip.name, clip.path) for clip in selection.test] == [
        ("b.mp4", tmp_path / "test" / "b.mp4")
    ]


@pytest.mark.parametrize("name", ["bair", "fashion", "mgif", "nemo", "taichi", "voxceleb"])
def test_a_builder_of_tfds_says_how_to_get_the_files(tmp_path, name):
    builder = DATASETS[name](data_dir=tmp_path)
    # Folders of mp4 files, which are written without TFDS, use the same name in their path.
    assert builder.name == name
    assert Path(builder.data_path) == tmp_path / name / "256x256_png" / "1.0.0"
    assert "https://" in builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    assert builder.info.description.split()[0] in builder.__doc__
    assert builder.info.features["frame"].shape == (256, 256, 3)
