"""The flags that every mode may read, and which modes there are."""

from absl import flags
from ml_collections import config_flags

MODES = ["train", "reconstruct", "animate", "compare", "profile", "verify", "demo", "app"]

config_flags.DEFINE_config_file(
    "config", None, "File with get_config(), such as those in configs/."
)
MODE = flags.DEFINE_enum("mode", None, MODES, "What to do.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: checkpoints and all outputs.")
CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "Checkpoint, folder of them, or file of the original, to use in place of the workdir's newest;"
    " training in a new workdir goes on from it.",
)
SOURCE = flags.DEFINE_multi_string(
    "source", None, "Picture to animate, or a pattern such as '*.jpg'; may be given several times."
)
DRIVING = flags.DEFINE_multi_string(
    "driving",
    None,
    "Video whose motion it gets, or - for raw frames from a pipe; as --source, one or several.",
)
MOTION = flags.DEFINE_multi_string(
    "motion", None, "In place of --driving: a file of --save_motion; several and patterns as well."
)
OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Film to write, .mp4 or .gif; a folder where there are several; or - for raw frames to a pipe.",
)
REFERENCE = flags.DEFINE_string(
    "reference", None, "What to compare with: recordings of the original, or a clone of it."
)
INPUT = flags.DEFINE_string("input", None, "Film or picture whose marks --mode=verify reads.")
PORT = flags.DEFINE_integer(
    "port", None, "Of localhost, for --mode=app; default: the first free one from 7860 on."
)
COMPILATION_CACHE = flags.DEFINE_string(
    "compilation_cache",
    None,
    "Folder for compiled programs, which later runs then load; default: JAX_COMPILATION_CACHE_DIR,"
    " else none.",
)
DISTRIBUTED = flags.DEFINE_boolean(
    "distributed",
    False,
    "Train in several processes, of which this is one. On Cloud TPU, Slurm and Kubernetes they find"
    " each other; elsewhere the next three flags tell.",
)
COORDINATOR = flags.DEFINE_string("coordinator", None, "HOST:PORT of the first process.")
NUM_PROCESSES = flags.DEFINE_integer("num_processes", None, "Number of processes.")
PROCESS_ID = flags.DEFINE_integer("process_id", None, "Which one this is, from 0.")
