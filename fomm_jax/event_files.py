"""Curves of a run from its event files."""

import os
import pathlib
import struct
from collections.abc import Iterator

from tensorboardX.proto.event_pb2 import Event, SessionLog


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
