"""What lies beside the videos does not matter, and a root_dir that is nearly right is answered."""

import errno
import pathlib
import socket
import tarfile

import numpy as np
import pytest

from fomm_jax.config.schema import DatasetConfig
from fomm_jax.errors import InputError
from fomm_jax.media.pictures import write_picture
from input_pipeline.datasets.video_folder import VideoFolder
from input_pipeline.splits import list_videos, split_videos
from input_pipeline.videos import open_video


def touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return DatasetConfig(root_dir=str(folder))


def names(videos):
    return [video.name for video in videos]


def refusal(root):
    with pytest.raises(InputError) as caught:
        split_videos(DatasetConfig(root_dir=str(root)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def unpack(shared, tmp_path):
    """Unpack a dataset of ../shared/faults/training, and return its folder."""

    def unpack(name):
        with tarfile.open(shared / "faults" / "training" / f"{name}.tar") as archive:
            archive.extractall(tmp_path, filter="data")
        return tmp_path / name

    return unpack


@pytest.mark.parametrize(
    "litter",
    [
        "Thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "Desktop.ini",
        ".DS_Store",
        "._a.png",
        "Icon\r",
        "a.png~",
        "~$notes.docx",
        "a.png:Zone.Identifier",
        "Thumbs.db:encryptable",
        "a.png:AFP_AfpInfo",
        "a.exe:SmartScreen",
        "@Recently-Snapshot/a.mp4",
        ".@__thumb/a.png",
        "@__thumb/a.png",
        "Network Trash Folder/a.png",
        "Temporary Items/a.png",
        "__MACOSX/._a.png",
        "@eaDir/a.png/SYNOFILE_THUMB_M.png",
        "$RECYCLE.BIN/a.png",
        "System Volume Information/IndexerVolumeGuid",
        "lost+found/1",
        "#recycle/a.mp4",
        ".git/config",
    ],
)
def test_litter_of_operating_systems_is_skipped_without_a_word(tmp_path, capsys, litter):
    touch(tmp_path, "a.png", "b.mp4", litter)
    assert names(list_videos(tmp_path)) == ["a.png", "b.mp4"]
    assert capsys.readouterr().err == ""


def test_the_thumbnails_of_windows(unpack, capsys):
    train, test = split_videos(DatasetConfig(root_dir=str(unpack("thumbs"))))
    assert names(train) == ["v0.png", "v1.png", "v2.png", "v3.png"]
    assert names(test) == ["w0.png", "w1.png"]
    assert capsys.readouterr().err == ""


def test_other_files_are_left_out_and_named_in_one_line(tmp_path, capsys):
    touch(tmp_path, "a.png", "b.mp4", "a.txt", "a.json", "clip.xyz", "b.srt", "folder/0.png")
    assert names(list_videos(tmp_path)) == ["a.png", "b.mp4", "folder"]
    assert capsys.readouterr().err.splitlines() == [
        f"warning: {tmp_path}: left out a.json, a.txt, b.srt and 1 more, which are no videos"
    ]


def test_a_folder_of_frames_may_hold_litter_and_notes(tmp_path):
    for number in range(3):
        write_picture(tmp_path / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
    touch(tmp_path, "Thumbs.db", "labels.txt", "pose.json", "sound.wav", "@eaDir/0.png/x.png")
    assert [frame[0, 0, 0] for frame in open_video(tmp_path, None)] == [0, 1, 2]
    touch(tmp_path, "frame.xyz")
    with pytest.raises(InputError, match=r"frame\.xyz: expected only pictures"):
        open_video(tmp_path, None)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (("Train", "Test"), "has Train/ and Test/; expected train/ and test/"),
        (("TRAIN", "TEST"), "has TRAIN/ and TEST/; expected train/ and test/"),
        (("training", "validation"), "has training/ and validation/; expected train/ and test/"),
        (("train", "val"), "has train/ and val/; expected train/ and test/"),
        (("train", "other"), "has train/ but no test/; expected train/ and test/"),
        (("test", "other"), "has test/ but no train/; expected train/ and test/"),
        (("Train",), "has Train/ but no test/; expected train/ and test/"),
    ],
)
def test_parts_of_other_names_are_answered(tmp_path, folders, message):
    touch(tmp_path, *(f"{folder}/a.png" for folder in folders))
    assert refusal(tmp_path) == f"{tmp_path}: {message}"


def test_the_capitals_of_a_dataset(unpack):
    root = unpack("Train")
    assert refusal(root) == f"{root}: has Train/ and Test/; expected train/ and test/"


def test_videos_may_have_the_names_of_parts(tmp_path):
    touch(tmp_path, "Test/0.png", "anna/0.png", "bert/0.png")
    assert len([*split_videos(DatasetConfig(root_dir=str(tmp_path))).train]) == 2


def test_a_folder_around_a_dataset_is_answered(tmp_path):
    touch(tmp_path / "data" / "faces", "train/a.png", "test/b.png")
    meant = f"expected config.dataset.root_dir={tmp_path}/data/faces"
    assert refusal(tmp_path / "data") == f"{tmp_path}/data: is a folder around the dataset; {meant}"
    assert refusal(tmp_path).endswith(meant)
    touch(tmp_path / "data" / "bodies", "train/a.png", "test/b.png")
    both = f"{tmp_path}/data/bodies or {tmp_path}/data/faces"
    assert refusal(tmp_path).endswith(f"root_dir={both}")


def test_a_folder_that_may_not_be_read_hides_nothing(tmp_path, monkeypatch):
    touch(tmp_path, "a.mp4", "b.mp4", "locked/a.png", "shut/faces/train/a.png")
    is_dir = pathlib.Path.is_dir

    def is_dir_unless_locked(path, **options):
        if path.parent.name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return is_dir(path, **options)

    monkeypatch.setattr(pathlib.Path, "is_dir", is_dir_unless_locked)
    train, test = split_videos(DatasetConfig(root_dir=str(tmp_path)))
    assert sorted(names([*train, *test])) == ["a.mp4", "b.mp4", "locked", "shut"]
    touch(tmp_path, "shut/faces/test/b.png")
    assert refusal(tmp_path).endswith(f"root_dir={tmp_path}/shut/faces")


def test_a_folder_around_a_prepared_dataset_is_answered(prepared_png):
    """`prepare` writes into DATASET/FORM/VERSION of its output."""
    for folder in list(prepared_png.parents)[:3]:
        assert refusal(folder) == (
            f"{folder}: is a folder around the dataset; expected"
            f" config.dataset.root_dir={prepared_png}"
        )


def test_a_folder_between_is_answered(tmp_path):
    touch(tmp_path / "data", "videos/a.mp4", "videos/b.mp4")
    folder = tmp_path / "data" / "videos"
    assert refusal(tmp_path / "data").endswith(f"to split, or {folder} if that folder holds them")
    with pytest.raises(InputError, match="if that folder holds them"):
        VideoFolder.select_clips(tmp_path / "data")


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/data",
        "HTTP://example.org/data.tar",
        "s3://bucket/data",
        "hf://datasets/a/b",
        "file:///data/faces",
    ],
)
def test_addresses_are_refused_without_the_network(monkeypatch, address):
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("asks the network"))
    assert refusal(address) == (
        f"config.dataset.root_dir={address}: is an address, which is not fetched; expected a path"
        " on this computer, or gs://BUCKET/FOLDER"
    )


def test_the_home_folder_may_be_written_as_in_a_shell(monkeypatch, tmp_path):
    touch(tmp_path / "data", "train/a.png", "test/b.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    train, _ = split_videos(DatasetConfig(root_dir="~/data"))
    assert train == [tmp_path / "data" / "train" / "a.png"]


def test_a_file_is_answered_by_the_folder(tmp_path):
    touch(tmp_path, "a.mp4", "data.tar")
    assert refusal(tmp_path / "a.mp4") == (
        f"config.dataset.root_dir: {tmp_path}/a.mp4 is a file; expected a folder of videos, such as"
        f" {tmp_path}"
    )
    assert refusal(tmp_path / "data.tar").endswith("such as its content, unpacked")
