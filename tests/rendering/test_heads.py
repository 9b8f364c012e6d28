"""Which heads in the frames of a video are one person's."""

from fomm_jax.rendering.heads import main_head


def head(x, y=100, size=40):
    """Return the box of a head by its centre and size."""
    return x - size / 2, y - size / 2, x + size / 2, y + size / 2


def test_without_heads_there_is_no_box():
    assert main_head([[], []]) is None


def test_the_box_follows_a_head_that_walks():
    """From place to place the heads overlap; the last one does not overlap the first."""
    places = [head(x) for x in range(50, 600, 30)]
    assert main_head([[place] for place in places]) == (30, 80, 610, 120)


def test_the_box_follows_a_head_that_runs_or_is_missed_at_times():
    assert main_head([[head(50)], [head(105)], [], [head(210)], [head(155)]]) == (30, 80, 230, 120)


def test_the_box_follows_a_head_backwards_from_its_largest_place():
    """It comes nearer while it walks."""
    heads = [[head(40 + 30 * i, size=20 + 5 * i)] for i in range(8)]
    left, _, right, _ = main_head(heads)
    assert (left, right) == (30, 40 + 30 * 7 + 27.5)


def test_two_people_who_sit_side_by_side_stay_apart():
    speaker, listener = head(100, size=60), head(190)
    frames = [[speaker, listener], [listener, speaker], [listener], [listener], [speaker, listener]]
    assert main_head(frames) == speaker


def test_two_people_who_pass_each_other_keep_their_places():
    frames = [[head(50 + 20 * i, 100, 44), head(450 - 20 * i, 180)] for i in range(20)]
    assert main_head(frames) == (28, 78, 452, 122)


def test_a_large_head_that_is_seen_once_is_not_the_main_one():
    frames = [[head(100)] for _ in range(10)]
    frames[4].append(head(400, size=90))  # as detectors see faces in curtains
    assert main_head(frames) == head(100)
