"""VoxCeleb, from raw files to the prepared dataset."""

import numpy as np
import pytest
from raw_videos import HEADER, cut_like_authors, read_all, write_list, write_video

from fomm_jax.media.reading.video_reader import iterate_frames
from input_pipeline.datasets.preparation import prepare_dataset
from input_pipeline.manifest import Encoding, read_dataset_manifest
from input_pipeline.prepared import list_prepared_videos

NTSC = 30000 / 1001  # FFmpeg prints it as 29.97


@pytest.fixture(scope="module")
def voxceleb(tmp_path_factory):
    """The folder of raw files, and the folder of the dataset that is made of them."""
    raw = tmp_path_factory.mktemp("vox")
    write_video(raw / "long.mp4", 70, NTSC)
    write_video(raw / "-other_.mp4", 40, 30.0).rename(raw / "-other_.webm")
    write_video(raw / "unlisted.mp4", 3, 25.0)
    (raw / "damaged.mp4").write_bytes(b"no video")
    write_list(
        raw / "vox-metadata.csv",
        "long,40,52,14-10-46-42,29.97,192,128,train,id2",  # listed at twice the size of the file
        "gone,0,9,0-0-16-16,25,96,64,train,id3",
        "long,20,30,50-0-82-32,29.97,192,128,train,id2",
        "-other_,5,20,7-5-19-17,25,72,48,test,id1",  # at 3/4 of its size
        "gone,20,40,0-0-16-16,25,96,64,train,id3",
        "long,90,99,0-0-32-32,29.97,192,128,train,id2",  # beyond the end
        "long,20,30,50-0-82-32,29.97,192,128,test,id2",  # once more, and in the other part
        "damaged,0,9,0-0-16-16,25,96,64,train,id1",
        "-other_,20,30,60-40-80-60,25,72,48,test,id1",  # reaches beyond the border of the frame
        "also_gone,0,9,0-0-16-16,25,96,64,test,id1",
        header=HEADER + ",person_id",
    )
    encoding = Encoding(16, 16, fit="stretch")
    return raw, prepare_dataset("voxceleb", raw, raw.parent / "prepared", encoding, num_workers=1)


def test_clips_of_a_list_are_cut_like_the_authors_do(voxceleb):
    raw, folder = voxceleb
    long, other = (list(iterate_frames(raw / name)) for name in ("long.mp4", "-other_.webm"))
    train, test = list_prepared_videos(str(folder))
    assert [(video.name, video.num_frames) for video in train] == [
        ("id2#long#000020#000030.mp4", 10),
        ("id2#long#000040#000052.mp4", 12),
    ]
    assert [(video.name, video.num_frames) for video in test] == [
        ("id1#-other_#000005#000020.mp4", 18),  # 6 to 23 at 30 frames a second
        ("id1#-other_#000020#000030.mp4", 12),
    ]
    ref = (29.97, 192, 128)
    np.testing.assert_array_equal(
        read_all(train[0]), cut_like_authors(long, 29.97, 20, 30, (50, 0, 82, 32), ref)
    )
    np.testing.assert_array_equal(
        read_all(train[1]), cut_like_authors(long, 29.97, 40, 52, (14, 10, 46, 42), ref)
    )
    np.testing.assert_array_equal(
        read_all(test[0]), cut_like_authors(other, 30.0, 5, 20, (7, 5, 19, 17), (25, 72, 48))
    )
    # The part of the box inside the frame, 16 wide and 11 high, is stretched.
    part = cut_like_authors(other, 30.0, 20, 30, (60, 40, 80, 60), (25, 72, 48))
    assert part.shape[1:3] == (11, 16)
    mean_rows = read_all(test[1]).mean(axis=(1, 2))
    np.testing.assert_allclose(mean_rows, part.mean(axis=(1, 2)), atol=4)


def test_missing_and_unusable_videos_are_reported(voxceleb):
    raw, folder = voxceleb
    manifest = read_dataset_manifest(folder)
    assert manifest.missing == ["gone", "also_gone"]
    beyond, damaged = sorted(manifest.refused, key=lambda clip: clip.name, reverse=True)
    assert (beyond.name, damaged.name) == (
        "id2#long#000090#000099.mp4",
        "id1#damaged#000000#000009.mp4",
    )
    assert beyond.reason.startswith(f"{raw / 'long.mp4'}: has 2.34 seconds; expected")
    assert damaged.reason.startswith(f"{raw / 'damaged.mp4'}: cannot be read as a video")
