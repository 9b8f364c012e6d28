"""Event files: the scalars and pictures of a run, in the format of TensorBoard.

`EventWriter` writes them, and `read_curves` reads the scalars back.
"""

import os
import struct
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import imageio.v3 as iio
import numpy as np
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import directory_check

from fomm_jax.buckets import AnyPath, is_in_bucket, to_path
from fomm_jax.files import writing
from fomm_jax.reporting.event_objects import MOST_BYTES, EventObjects
from fomm_jax.types import Curves

_PREFIX = "events"  # of the names of event files


class EventWriter:
    """Writes an event file; a context manager that closes it.

    An event is in the file when the method that adds it returns, so a killed run loses nothing.
    (tensorboardX's own `SummaryWriter` queues events, and its `flush` does not wait for them.) In a
    bucket it is there a few seconds later, or when `flush` returns, and the events are in several
    files, since no object should be large that is written again and again.

    Args:
      logdir: the folder of the run. It is made if it is missing.
      first_step: the first step that this process may add. TensorBoard drops the events of this
        step and later ones that a killed run left in `logdir`.

    Raises:
      InputError: `logdir` cannot be written. The methods raise it too.
    """

    def __init__(self, logdir: str | os.PathLike[str], first_step: int = 1):
        self._logdir, self._first_step = logdir, first_step
        self._objects = EventObjects(to_path(logdir)) if is_in_bucket(logdir) else None
        self._number = self._bytes = 0  # of the file
        self._events = self._begin_file()
        self._add(Event(step=first_step, session_log=SessionLog(status=SessionLog.START)))

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file, also after an exception."""
        self.close()

    def _begin_file(self) -> EventsWriter:
        """Begin a file, whose name comes after those of the files before."""
        folder = self._objects.folder if self._objects else self._logdir
        # tensorboardX names files by the second. The suffix keeps the file of a run that is
        # restarted within the same second apart from the older one, and the files of a run too.
        suffix = f".{self._first_step:09d}.{os.getpid()}"
        if self._objects:
            suffix += f".{self._number:06d}"
        self._number += 1
        with writing(self._logdir):
            directory_check(os.fspath(folder))
            return EventsWriter(os.path.join(folder, _PREFIX), suffix)

    def add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point at this step to the curve of each name."""
        points = [Summary.Value(tag=tag, simple_value=float(x)) for tag, x in values.items()]
        self._add(Event(step=step, summary=Summary(value=points)))

    def add_picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Add a picture, (h, w, 3) uint8."""
        png = iio.imwrite("<bytes>", picture, plugin="pillow", extension=".png")
        height, width, channels = picture.shape
        image = Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=png
        )
        summary = Summary(value=[Summary.Value(tag=name, image=image)])
        self._add(Event(step=step, summary=summary))

    def flush(self) -> None:
        """Wait until all events so far are where the run is; any thread may call this."""
        if self._objects:
            self._objects.flush()

    def close(self) -> None:
        """Close the file. Nothing can be added afterwards."""
        with writing(self._logdir):
            self._events.close()
        if self._objects:
            self._objects.close()

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        with writing(self._logdir):
            self._events.write_event(event)
            self._events.flush()
        if self._objects:
            self._objects.send_soon()
            self._bytes += event.ByteSize()
            if self._bytes > MOST_BYTES:
                self._bytes = 0
                self._events.close()
                self._events = self._begin_file()


def read_curves(logdir: str | os.PathLike[str]) -> Curves:
    """Read the scalars of a run.

    Two rules are TensorBoard's. A START event at some step drops what earlier events say of this
    step and later ones. A record that is cut short, as a killed run leaves it, ends its file.

    Args:
      logdir: the folder of the run.

    Returns:
      The curve of each name, its steps in ascending order. Empty if there are no event files.
    """
    curves: dict[str, dict[int, float]] = {}
    for path in sorted(to_path(logdir).glob(f"{_PREFIX}.*")):
        for event in _read_events(path):
            if event.session_log.status == SessionLog.START:
                curves = {
                    name: {step: value for step, value in curve.items() if step < event.step}
                    for name, curve in curves.items()
                }
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    curves.setdefault(value.tag, {})[event.step] = value.simple_value
    return {name: dict(sorted(curve.items())) for name, curve in curves.items() if curve}


def _read_events(path: AnyPath) -> Iterator[Event]:
    """Yield the events of a file.

    The file is a sequence of records (TFRecord): length (8 bytes, little-endian), checksum of the
    length (4), content, checksum of the content (4).
    """
    data = path.read_bytes()
    position = 0
    while position + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        if position + 16 + length > len(data):
            return
        yield Event.FromString(data[position + 12 : position + 12 + length])
        position += 16 + length
