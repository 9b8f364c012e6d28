"""Containers of all kinds are read by their content, playlists are not; cuts are noticed."""

import re

import av
import numpy as np
import pytest
from clips import NUM_FRAMES, mean_difference, shown_by_ffmpeg, write_clip

from fomm_jax.errors import InputError
from fomm_jax.media.reading.decoding import open_container
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import count_frames, iterate_frames

CONTAINERS = {
    "a.ts": ("mpegts", {}),
    "a.mts": ("mpegts", {"codec": "mpeg2video"}),
    "a.mpg": ("mpeg", {"codec": "mpeg2video"}),
    "a.m1v": ("mpeg1video", {"codec": "mpeg1video"}),
    "a.wmv": ("asf", {"codec": "wmv2"}),
    "a.flv": ("flv", {}),
    "a.ogv": ("ogv", {"codec": "libvpx"}),
    "a.3gp": ("3gp", {"codec": "mpeg4"}),
    "a.mxf": ("mxf", {"codec": "mpeg2video"}),
    "a.nut": ("nut", {"codec": "ffv1"}),
    "a.h264": ("h264", {}),
    "a.y4m": ("yuv4mpegpipe", {"codec": "wrapped_avframe"}),
}


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_are_known_by_their_content(tmp_path, name, renamed):
    container_format, options = CONTAINERS[name]
    path = write_clip(tmp_path / name, format=container_format, **options)
    if renamed:
        path = path.rename(tmp_path / "film.of_whatever_kind")
    frames = list(iterate_frames(path))
    assert NUM_FRAMES - 1 <= len(frames) <= NUM_FRAMES
    assert mean_difference(frames, shown_by_ffmpeg(path, (48, 64, 3))[: len(frames)]) < 1


LISTS = {
    "concat": "ffconcat version 1.0\nfile a.mp4\n",
    "hls": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\n",
    "smooth": "[playlist]\nFile1=a.mp4\n",
}


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".ts", ".txt"])
@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_other_files_are_refused(tmp_path, kind, suffix):
    write_clip(tmp_path / "a.mp4")
    write_clip(tmp_path / "a.ts", format="mpegts")
    path = tmp_path / f"list{suffix}"
    path.write_text(LISTS[kind])
    with (
        pytest.raises(InputError, match=r"list\.\w+: cannot be read as a video, expected MP4"),
        open_container(path),
    ):
        pass


def write_webm(path, is_live):
    options = {"codec": "libvpx", "deadline": "realtime", "cpu-used": "8", "g": "8"}
    write_clip(path.with_suffix(".mkv"), **options)
    with (
        av.open(str(path.with_suffix(".mkv"))) as source,
        av.open(str(path), "w", options={"live": "1"} if is_live else {}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


@pytest.mark.parametrize("is_live", [False, True])  # a live recording does not state its size
def test_a_cut_webm_is_noticed_at_every_place(tmp_path, is_live):
    path = write_webm(tmp_path / "a.webm", is_live)
    content = path.read_bytes()
    whole = list(iterate_frames(path))
    assert len(whole) == NUM_FRAMES
    num_noticed = 0
    cuts = np.linspace(0.2, 0.99, 40) * len(content)
    for cut in cuts.astype(int):
        path.write_bytes(content[:cut])
        frames, message = [], ""
        try:
            frames.extend(iterate_frames(path))
        except InputError as error:
            num_noticed += 1
            message = str(error)
        assert re.search(f"^$|cut short after frame {len(frames)}$|has no frame", message)
        np.testing.assert_array_equal(frames, whole[: len(frames)])
    assert num_noticed >= len(cuts) - (2 if is_live else 0)  # between two parts nothing is missing


def test_bytes_after_the_end_of_a_webm_are_no_cut(tmp_path):
    path = write_webm(tmp_path / "a.webm", is_live=False)
    path.write_bytes(path.read_bytes() + b"further bytes \xff\x1a\x45" * 9)
    assert count_frames(path) == NUM_FRAMES


CUTS = {
    "a.ts": {"format": "mpegts"},
    "a.mts": {"codec": "mpeg2video", "format": "mpegts"},
    "b.ts": {"codec": "libx265", "format": "mpegts", "x265-params": "log-level=none"},
    "a.ogv": {"codec": "libvpx", "format": "ogv"},
}


@pytest.mark.parametrize("name", CUTS)
def test_a_recording_that_is_cut_within_a_packet_is_noticed(tmp_path, name):
    path = write_clip(tmp_path / name, g="10", **CUTS[name])
    content = path.read_bytes()
    if name == "a.mts":  # as on Blu-ray discs: a time before each packet
        content = b"".join(bytes(4) + content[i : i + 188] for i in range(0, len(content), 188))
        path.write_bytes(content)
    assert probe_video(path).fault is None
    for cut in range(len(content) // 2, len(content), len(content) // 16):
        path.write_bytes(content[: cut // (188 * 48) * (188 * 48) + 5])  # 48 x 188 is 47 x 192
        frames = []
        with pytest.raises(InputError, match=r": is (damaged|cut short) after frame") as caught:
            frames.extend(iterate_frames(path))
        assert str(caught.value).endswith(f" {len(frames)}")


def test_faulty_files(shared):
    media = shared / "faults" / "media"
    with pytest.raises(InputError, match=r"E17_cut\.mkv: is cut short after frame 52$"):
        count_frames(media / "E17_cut.mkv")
    frames, message = [], ""
    try:
        frames.extend(iterate_frames(media / "E29_damaged_frame_zeros.mp4"))
    except InputError as error:
        message = str(error)
    assert len(frames) >= 99
    assert message.endswith(
        "zeros.mp4: number of damaged frames: 1; the one before stands in place of each"
    )


PASSING = {  # the number of frames
    "A15_live_vp9_no_duration.webm": 50,
    "E27_intra_refresh_cut.mp4": 42,
    "E27_intra_refresh_whole.mp4": 75,
    "E27_open_gop_cut.mkv": 51,
    "E27_open_gop_cut.mp4": 50,
    "E27_open_gop_cut_hevc.mp4": 50,
    "E27_starts_mid_gop.mkv": 50,
    "E27_starts_mid_gop.mp4": 50,
    "E28_avchd.mts": 25,
    "E28_dvd.mpg": 25,
    "E28_old.flv": 25,
    "E28_old.ogv": 25,
    "E28_old.wmv": 25,
    "E28_phone_dvr.ts": 50,
    "E30_mp4_named.avi": 25,
    "E30_webm_named.mp4": 25,
}


@pytest.mark.parametrize("name", PASSING)
def test_files_that_are_right(shared, name):
    frames = list(iterate_frames(shared / "faults" / "passing" / name))
    assert len(frames) == PASSING[name]
    assert {frame.shape for frame in frames} == {(120, 160, 3)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("E17_cut_download_faststart.mp4", "is cut short after frame 45"),
        ("E17_empty.mp4", "cannot be read as a video, expected MP4"),
        ("E17_no_moov.mp4", "cannot be read as a video, expected MP4"),
        ("E17_text.mp4", "cannot be read as a video, expected MP4"),
        ("E20_unknown_codec_bvc2.mp4", "has no picture track that can be decoded"),
        ("E26_audio_only.mp4", "has no picture track that can be decoded"),
        ("E30_png_named.jpg", "is a picture, expected a video"),
        ("E25_still.webp", "is a picture, expected a video"),
        ("E29_one_damaged_frame.mp4", None),
    ],
)
def test_files_that_are_refused(shared, name, message):
    read = iterate_frames(shared / "faults" / "passing" / name)
    if message is None:
        assert len(list(read)) >= 49
        return
    with pytest.raises(InputError, match=f"{name}: {message}"):
        list(read)
