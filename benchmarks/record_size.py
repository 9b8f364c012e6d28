"""Time reading an ArrayRecord record of a whole video, and one of a single frame.

    python -m benchmarks.record_size

The records hold random bytes, which cannot be compressed further, just like JPEG. They are read
from the page cache.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordWriter

FRAME_BYTES = 15_000  # JPEG of quality 95 at 256x256, for the faces in ../shared/data
CLIP_FRAMES = 200  # eight seconds
READS = 100


def seconds_per_read(path: Path, record_bytes: int, num_records: int, options: str) -> float:
    """Write records of random bytes, read `READS` of them at random, and return the mean seconds.

    Args:
      path: the file to write.
      record_bytes: the size of a record.
      num_records: the number of records.
      options: the options of ArrayRecord's writer.
    """
    rng = np.random.default_rng(0)
    writer = ArrayRecordWriter(str(path), options)
    for _ in range(num_records):
        writer.write(rng.bytes(record_bytes))
    writer.close()
    records = ArrayRecordDataSource(str(path))
    records[0]  # opens the file
    start = time.perf_counter()
    for number in rng.integers(num_records, size=READS):
        records[int(number)]
    return (time.perf_counter() - start) / READS


def main() -> None:
    """Run the command that the head of this file describes."""
    flags.FLAGS.mark_as_parsed()  # ArrayRecord defines and reads some
    clip = CLIP_FRAMES * FRAME_BYTES
    with tempfile.TemporaryDirectory() as folder:
        for what, size, count, options in (
            ("clip, as TFDS writes it", clip, 10, "group_size:1"),
            ("clip, uncompressed", clip, 10, "group_size:1,uncompressed"),
            ("frame, as TFDS writes it", FRAME_BYTES, 2000, "group_size:1"),
        ):
            seconds = seconds_per_read(Path(folder, "records"), size, count, options)
            print(f"a record of a {what}, {size} bytes: {1000 * seconds:.3f} ms")


if __name__ == "__main__":
    main()
