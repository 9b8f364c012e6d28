"""Frames are shown as players show them: upright, with square pixels, in SDR, one moment each."""

from fractions import Fraction

import av
import numpy as np
import pytest
from av.filter import Graph
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc
from clips import gliding_frame, mean_difference, shown_by_ffmpeg, write_clip
from PIL import Image

from fomm_jax.media.reading.frame_index import index_frames
from fomm_jax.media.reading.probe import probe_video
from fomm_jax.media.reading.video_reader import count_frames, iterate_frames, read_frames

MATRICES = {  # a, b, c, d: a point (x, y) of the stored frame is shown at (a x + c y, b x + d y)
    (1, 0, 0, 1): lambda frame: frame,
    (-1, 0, 0, 1): lambda frame: frame[:, ::-1],
    (1, 0, 0, -1): lambda frame: frame[::-1],
    (-1, 0, 0, -1): lambda frame: frame[::-1, ::-1],
    (0, 1, -1, 0): lambda frame: np.rot90(frame, -1),
    (0, -1, 1, 0): lambda frame: np.rot90(frame),
    (0, 1, 1, 0): lambda frame: frame.swapaxes(0, 1),
    (0, -1, -1, 0): lambda frame: frame[::-1, ::-1].swapaxes(0, 1),
}


def set_matrix(path, matrix):
    """Write a display matrix into the track header of an MP4 file."""
    numbers = [65536 * number for number in (1, 0, 0, 1)]
    unit = b"".join(n.to_bytes(4, "big", signed=True) for n in (*numbers[:2], 0, *numbers[2:], 0))
    a, b, c, d = (65536 * number for number in matrix)
    new = b"".join(n.to_bytes(4, "big", signed=True) for n in (a, b, 0, c, d, 0))
    content = path.read_bytes()
    start = content.index(unit, content.index(b"tkhd"))
    path.write_bytes(content[:start] + new + content[start + len(new) :])


@pytest.mark.parametrize("matrix", MATRICES)
def test_frames_are_mirrored_and_turned_by_the_display_matrix(tmp_path, matrix):
    path = write_clip(tmp_path / "a.mp4", g="8")
    stored = list(iterate_frames(path))
    set_matrix(path, matrix)
    shown = list(iterate_frames(path))
    np.testing.assert_array_equal(shown, [MATRICES[matrix](frame) for frame in stored])
    assert mean_difference(shown, shown_by_ffmpeg(path, shown[0].shape)) < 1
    np.testing.assert_array_equal(read_frames(path, [20], index_frames(path))[0], shown[20])
    info = probe_video(path)
    assert (info.height, info.width) == shown[0].shape[:2]


def write_with_pixels(path, aspect, rotation=None):
    """Write a clip whose pixels have a width of `aspect` times their height."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"qscale": "2"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for i in range(5):
            frame = av.VideoFrame.from_ndarray(gliding_frame(i), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(4, 3), (85, 48)),
        (Fraction(12, 11), (70, 48)),
        (Fraction(3, 4), (64, 64)),
        (Fraction(1281, 1280), (64, 48)),  # nobody sees it
        (Fraction(200, 1), (64, 48)),  # damage
    ],
)
def test_pixels_become_square(tmp_path, suffix, aspect, size):
    path = write_with_pixels(tmp_path / f"a{suffix}", aspect)
    plain = list(iterate_frames(write_with_pixels(tmp_path / "plain.mp4", Fraction(1))))
    shown = list(iterate_frames(path))
    expected = [Image.fromarray(frame).resize(size) for frame in plain]
    assert shown[0].shape == (size[1], size[0], 3)
    assert mean_difference(shown, [np.asarray(frame) for frame in expected]) < 2
    if size == (64, 48) and suffix == ".mp4":
        np.testing.assert_array_equal(shown, plain)


def test_pixels_become_square_before_a_frame_is_turned(tmp_path):
    path = write_with_pixels(tmp_path / "a.mp4", Fraction(3, 2), rotation=90)
    assert next(iterate_frames(path)).shape == (96, 48, 3)


def test_a_gif_has_square_pixels_whatever_it_says(tmp_path):
    frames = [Image.new("RGB", (32, 24), (90 * i, 0, 0)) for i in range(3)]
    path = tmp_path / "a.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    content = bytearray(path.read_bytes())
    content[12] = 100  # the pixel aspect ratio, of (100 + 15) / 64
    path.write_bytes(content)
    assert next(iterate_frames(path)).shape == (24, 32, 3)


def write_sizes(path, sizes):
    """Write a clip of three frames of each width and height, of the same picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], "yuv420p"
        for part, size in enumerate(sizes):
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
            encoder.time_base, encoder.bit_rate = Fraction(1, 25), 2_000_000
            picture = Image.fromarray(gliding_frame(0)).resize(size)
            packets = []
            for i in range(3):
                frame = av.VideoFrame.from_image(picture)
                frame.pts, frame.time_base = i, Fraction(1, 25)
                packets += encoder.encode(frame)
            for packet in [*packets, *encoder.encode(None)]:
                packet.pts = packet.dts = packet.pts + 3 * part
                packet.time_base = Fraction(1, 25)
                packet.stream = stream
                container.mux(packet)
    return path


def test_frames_that_change_size_are_scaled_to_the_first(tmp_path):
    path = write_sizes(tmp_path / "a.webm", [(64, 48), (32, 24), (128, 96), (64, 48)])
    shown = list(iterate_frames(path))
    assert [frame.shape for frame in shown] == [(48, 64, 3)] * 12
    for frame in shown:
        assert np.abs(frame.astype(int) - shown[0]).mean() < 6


def test_frames_that_change_shape_keep_their_aspect_ratio(tmp_path):
    path = write_sizes(tmp_path / "a.webm", [(64, 48), (48, 64)])
    shown = list(iterate_frames(path))
    expected = np.asarray(Image.fromarray(gliding_frame(0)).resize((48, 64)).resize((36, 48)))
    assert shown[3].shape == (48, 64, 3)
    assert np.abs(shown[3][:, 14:50].astype(int) - expected).mean() < 8


def write_interlaced(path, top_first):
    """Write a clip whose two fields show moments one after the other."""
    second = 1 if top_first else 0
    with av.open(str(path), "w") as container:
        options = {"x264-params": "interlaced=1", "qp": "4"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        mark = Graph()  # the encoder stores what the frames say of their fields
        source = mark.add_buffer(stream, time_base=Fraction(1, 25))
        field = mark.add("setfield", "tff" if top_first else "bff")
        mark.link_nodes(source, field, mark.add("buffersink")).configure()
        for i in range(10):
            picture = moving_bars(2 * i)
            picture[second::2] = moving_bars(2 * i + 1)[second::2]
            mark.push(av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p"))
            frame = mark.vpull()
            frame.pts = i
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def moving_bars(i):
    y, x = np.mgrid[:96, :128]
    wave = 128 + 100 * np.sin((x + y / 6 + 5 * i) / 6)
    return np.repeat(wave[..., None], 3, axis=2).astype(np.uint8)


@pytest.mark.parametrize("top_first", [True, False])
def test_interlaced_frames_show_one_moment(tmp_path, top_first):
    path = write_interlaced(tmp_path / "a.mp4", top_first)
    with av.open(str(path)) as container:
        combed = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    shown = list(iterate_frames(path))
    moments = [moving_bars(2 * i) for i in range(10)]
    assert mean_difference(combed, moments) > 20
    assert mean_difference(shown, moments) < 6
    index = index_frames(path)
    for i in (7, 2):  # each frame is computed from itself alone
        np.testing.assert_array_equal(read_frames(path, [i], index)[0], shown[i])
    np.testing.assert_array_equal(list(iterate_frames(path, 5, index)), shown[5:])


def test_transparent_pixels_of_videos_are_white(tmp_path):
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "rgba"
        pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 4), dtype=np.uint8)
        pixels[..., 3] = 0
        pixels[:24, :, 3] = 255
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgba")))
        container.mux(stream.encode(None))
    (shown,) = iterate_frames(tmp_path / "a.mov")
    np.testing.assert_array_equal(shown[:24], pixels[:24, :, :3])
    np.testing.assert_array_equal(shown[24:], 255)


def write_pq(path, nits):
    """Write a frame whose thirds have a grey of these luminances, in cd/m2, coded by PQ."""
    # ITU-R BT.2100, table 4
    power = (np.array(nits) / 10000) ** (2610 / 16384)
    coded = ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)
    luma = np.repeat(np.rint(64 + 876 * coded).astype(np.uint16), 32)
    grey = np.concatenate([np.tile(luma, (64, 1)), np.full((32, 96), 512, np.uint16)])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 64, 96, "yuv420p10le"
        stream.codec_context.color_trc = ColorTrc.SMPTE2084
        stream.codec_context.color_primaries = ColorPrimaries.BT2020
        stream.codec_context.colorspace = 9  # of BT.2020
        stream.codec_context.color_range = ColorRange.MPEG
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "yuv420p10le")))
        container.mux(stream.encode(None))


def test_hdr_is_brought_to_sdr(tmp_path):
    """ITU-R BT.2408: the white of SDR has 203 cd/m2; what is brighter is clipped."""
    write_pq(tmp_path / "a.mkv", [203 * 0.5**2.4, 203, 1000])
    (shown,) = iterate_frames(tmp_path / "a.mkv")
    half, white, highlight = shown[32, [16, 48, 80]]
    assert 110 < half[0] < 135
    assert np.ptp(half) <= 2
    assert white.min() > 245
    assert highlight.tolist() == [255, 255, 255]


def test_faulty_files(shared):
    media, passing = shared / "faults" / "media", shared / "faults" / "passing"
    plain = next(iterate_frames(media / "plain.mp4"))
    upright = ("C2_hflip_matrix.mp4", "C3_sar_4_3.mp4", "C3_dar_4_3_mpeg4.mkv")
    for name in upright:
        assert np.abs(next(iterate_frames(media / name)).astype(int) - plain).mean() < 4, name
    shown = list(iterate_frames(media / "C4_size_changes_turned.webm"))
    assert {frame.shape for frame in shown} == {(120, 160, 3)}
    sdr = next(iterate_frames(passing / "D5_bt709_tv.mp4")).astype(int)
    assert np.abs(next(iterate_frames(media / "D5_iphone_hlg.mov")) - sdr).mean() < 12  # was 31
    for frame in iterate_frames(media / "D6_transparent_disposal1.gif"):
        np.testing.assert_array_equal(frame[:10, :10], 255)
    for frame in iterate_frames(media / "D8_interlaced_tff.mp4"):
        lines = frame[40:80, 30:130].astype(int)
        # Lines that are combed are more like the next but one than like the next.
        assert np.abs(lines[1:] - lines[:-1]).mean() < np.abs(lines[2:] - lines[:-2]).mean()


ORDINARY = {  # the height and width of a frame, and their number
    "C1_rotate_90.mp4": (160, 120, 25),
    "C1_rotate_180.mp4": (120, 160, 25),
    "C1_rotate_270.mp4": (160, 120, 25),
    "C2_vflip_matrix.mp4": (120, 160, 25),
    "C6_odd_161x121_444.mp4": (121, 161, None),
    "C6_odd_161x121_vp9.webm": (121, 161, None),
    "C6_tiny_16x16.mp4": (16, 16, None),
    "C6_wide_1280x80.mp4": (80, 1280, None),
    "D5_bt601_tv.mp4": (128, 128, None),
    "D5_bt709_full.mp4": (128, 128, None),
    "D5_mjpeg_full.avi": (128, 128, None),
    "D5_untagged_sd_601.mp4": (128, 128, None),
    "D7_av1_10bit.mp4": (128, 128, None),
    "D7_cinepak.mov": (120, 160, 10),
    "D7_ffv1_gbrp10.mkv": (128, 128, None),
    "D7_gray.mp4": (128, 128, None),
    "D7_h263.3gp": (144, 192, 10),  # pixels of 12:11
    "D7_x264rgb.mp4": (128, 128, None),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_files_that_were_right(shared, name):
    passing = shared / "faults" / "passing"
    height, width, count = ORDINARY[name]
    frame = next(iterate_frames(passing / name)).astype(int)
    assert frame.shape == (height, width, 3)
    assert count in (None, count_frames(passing / name))
    if name.startswith("C1"):
        plain = next(iterate_frames(passing / "C1_rotate_180.mp4"))
        assert np.abs(frame[:20, :20] - plain[:20, :20]).mean() < 4  # the same corner
    if name.startswith("D5"):
        reference = next(iterate_frames(passing / "D5_bt709_tv.mp4"))
        assert np.abs(frame - reference).mean() < 4
