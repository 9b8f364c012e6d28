"""Times reading an ArrayRecord record of a whole video, and one of a frame.

    python -m benchmarks.record_size

The records hold random bytes, which like JPEG cannot be compressed, and are in the page cache.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from absl import flags
from array_record.python.array_record_data_source import ArrayRecordDataSource
from array_record.python.array_record_module import ArrayRecordWriter

FRAME_BYTES = 15_000  # of JPEG at quality 95, 256x256, from the faces of ../shared/data
CLIP_FRAMES = 200  # eight seconds
READS = 100


def seconds_per_read(path: Path, record_bytes: int, num_records: int, options: str) -> float:
    """Write records of random bytes and read `READS` of them at random."""
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
    """The command line; see the head of this file."""
    flags.FLAGS.mark_as_parsed()  # ArrayRecord has some
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
