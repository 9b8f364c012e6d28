"""Scalars and pictures of a run as TensorBoard reads them."""

import contextlib
import io
import os
import pathlib
import struct
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import directory_check

from fomm_jax.errors import InputError


class MetricWriter:
    """Write an event file; a context manager that closes it.

    What is added is in the file when the call returns, so that a killed run loses nothing.
    (tensorboardX's own `SummaryWriter` has a queue, for which its `flush` does not wait.)

    Args:
      logdir: folder of the run, made where it is missing.
      first_step: the first step that this process may add. TensorBoard drops what a killed run
        left in `logdir` from that step on.

    Raises:
      InputError: `logdir` cannot be written; also of the methods.
    """

    def __init__(self, logdir: str | os.PathLike, first_step: int = 1):
        self._logdir = logdir
        with self._one_line():
            directory_check(os.fspath(logdir))
            # Files are named by the second: the suffix keeps a quick restart out of the older one.
            prefix, suffix = os.path.join(logdir, "events"), f".{first_step:09d}.{os.getpid()}"
            self._events = EventsWriter(prefix, suffix)
        self._add(Event(step=first_step, session_log=SessionLog(status=SessionLog.START)))

    def __enter__(self) -> Self:
        """Leave all as it is."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the file, after an exception too."""
        self.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to the curve of each name."""
        points = [Summary.Value(tag=tag, simple_value=float(x)) for tag, x in values.items()]
        self._add(Event(step=step, summary=Summary(value=points)))

    def picture(self, step: int, name: str, picture: np.ndarray) -> None:
        """Add a picture, (h, w, 3) uint8."""
        png = io.BytesIO()
        Image.fromarray(picture).save(png, "PNG")
        height, width, channels = picture.shape
        image = Summary.Image(
            height=height, width=width, colorspace=channels, encoded_image_string=png.getvalue()
        )
        summary = Summary(value=[Summary.Value(tag=name, image=image)])
        self._add(Event(step=step, summary=summary))

    def close(self) -> None:
        """Close the file; nothing can be added afterwards."""
        with self._one_line():
            self._events.close()

    def _add(self, event: Event) -> None:
        event.wall_time = time.time()
        with self._one_line():
            self._events.write_event(event)
            self._events.flush()

    @contextlib.contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise InputError(f"{self._logdir}: cannot be written: {error.strerror}") from error


def read_curves(logdir: str | os.PathLike[str]) -> dict[str, dict[int, float]]:
    """The scalars of a run: {name: {step: value}}, steps in order; empty where there are none.

    As TensorBoard does, a start at some step voids what was written before of that step and later
    ones, and a record that is cut short (of a killed run) ends its file.
    """
    points: dict[str, dict[int, float]] = {}
    for path in sorted(pathlib.Path(logdir).glob("events.*")):
        for event in _events(path):
            if event.session_log.status == SessionLog.START:
                points = {
                    name: {step: value for step, value in curve.items() if step < event.step}
                    for name, curve in points.items()
                }
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points.setdefault(value.tag, {})[event.step] = value.simple_value
    return {name: dict(sorted(curve.items())) for name, curve in points.items() if curve}


def _events(path: pathlib.Path) -> Iterator[Event]:
    """The events of one file: records of length, checksum, content, checksum."""
    data = path.read_bytes()
    position = 0
    while position + 12 <= len(data):
        (length,) = struct.unpack_from("<Q", data, position)
        if position + 16 + length > len(data):
            return
        yield Event.FromString(data[position + 12 : position + 12 + length])
        position += 16 + length
