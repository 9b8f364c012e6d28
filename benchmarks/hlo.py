"""Find collectives and costs in the text of a program that XLA has compiled for TPU."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# Most reduce-scatters are written as a fusion of an all-reduce and a slice, under this name.
REDUCE_SCATTER_FUSION = "all-reduce-scatter"

COMPUTATION = re.compile(r"(ENTRY )?%([\w.-]+) \(.*\{$")
INSTRUCTION = re.compile(r"\s+(?:ROOT )?%([\w.-]+) = (\(.*?\)|\S+) ([a-z][\w-]*)\(([^)]*)\)(.*)")
CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
SOURCE = re.compile(r'op_name="([^"]*)"')
CHANNEL = re.compile(r"channel_id=(\d+)")
PARTITIONS = re.compile(r"num_partitions=(\d+)")
# The groups of devices in which a collective runs, in the three ways in which XLA writes them:
# {{0,1},{2,3}}, [2,2]<=[4], and mesh['a'=2,'b'=2] {'b'}.
LISTED_GROUPS = re.compile(r"replica_groups=\{\{([\d,]+)\}")
SHAPED_GROUPS = re.compile(r"replica_groups=\[\d+,(\d+)\]")
MESH_GROUPS = re.compile(r"replica_groups=mesh\[([^\]]*)\] \{([^}]*)\}")
ARRAY = re.compile(r"\b[a-z]+(\d+)?\w*\[([\d,]*)\](?:\{([^}]*)\})?")  # bits, lengths, layout

# Instructions, and targets of custom calls, that only name data and do not move it.
FREE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast")
FREE_TARGETS = ('"ConcatBitcast"', '"AllocateBuffer"')
NO_ESTIMATE = 2**60  # cycles; from this number on the compiler means that it has no estimate


class Collective(NamedTuple):
    """A communication between the chips."""

    kind: str  # one of KINDS
    size: int  # bytes of the array that one chip reduces, gathers, scatters or sends
    overlapped: bool  # whether the chip does other work at the same time
    group: int | None = None  # the chips that take part together; None is all of them


class Cost(NamedTuple):
    """The cost of an instruction by the compiler's own model."""

    cycles: int  # cycles of the core, or at least NO_ESTIMATE
    shape: str  # shape and layout of the result
    source: str  # the JAX operation that the instruction comes from


class _Instruction(NamedTuple):
    computation: str
    in_entry: bool  # whether that computation is the program's entry
    name: str
    shape: str
    operation: str
    operands: tuple[str, ...]
    attributes: str


def find_collectives(text: str) -> list[Collective]:
    """Return the collectives of a program. One in the body of a loop is counted once.

    A collective that overlaps with other work is written in pieces: as a start and an end, or
    spread over the computations with which it overlaps. All pieces then name one channel.

    Args:
      text: the result of `as_text` of a compiled program.
    """
    instructions = list(_instructions(text))
    partitions = PARTITIONS.search(text)
    everybody = int(partitions[1]) if partitions else None
    shapes = {instruction.name: instruction.shape for instruction in instructions}
    ends = {
        instruction.operands[0]: instruction.shape
        for instruction in instructions
        if instruction.operation.endswith("-done")
    }
    collectives: dict[str, Collective] = {}
    for instruction in instructions:
        kind = instruction.operation.removesuffix("-start")
        if kind not in KINDS:
            continue
        started = instruction.operation.endswith("-start")
        channel = None if started else CHANNEL.search(instruction.attributes)
        key = channel[1] if channel else instruction.name
        if instruction.computation.startswith(REDUCE_SCATTER_FUSION):
            kind = "reduce-scatter"
        result = ends.get(instruction.name, instruction.shape)
        operands = sum(size_of(shapes[name]) for name in instruction.operands)
        overlapped = started or key in collectives
        group = _group_size(instruction.attributes)
        collectives[key] = Collective(
            kind,
            max(size_of(result), operands),
            overlapped,
            None if group == everybody else group,
        )
    return list(collectives.values())


def _group_size(attributes: str) -> int | None:
    """Return the number of devices in each group of a collective; None if it names no groups."""
    if listed := LISTED_GROUPS.search(attributes):
        return len(listed[1].split(","))
    if shaped := SHAPED_GROUPS.search(attributes):
        return int(shaped[1])
    if mesh := MESH_GROUPS.search(attributes):
        axes = dict(re.findall(r"('\w+')=(\d+)", mesh[1]))
        return math.prod(int(axes[name]) for name in re.findall(r"'\w+'", mesh[2]))
    return None


def hbm_bytes(text: str) -> int:
    """Return the bytes that a program reads from a chip's main memory (HBM) and writes to it.

    Arrays in the fast memory, which the text marks with S(1), are not counted, and neither is the
    padding of arrays to whole tiles. A transfer in two pieces counts at its end.
    """
    instructions = list(_instructions(text))
    shapes = {instruction.name: instruction.shape for instruction in instructions}
    total = 0
    for _, in_entry, _, shape, operation, operands, attributes in instructions:
        free = operation in FREE or operation.endswith("-start")
        if not in_entry or free or any(target in attributes for target in FREE_TARGETS):
            continue
        if operation.endswith("-done"):
            total += size_of(shape)  # either a read or a write: the other side is fast memory
        else:
            touched = (shape, *(shapes[name] for name in operands))
            total += sum(size_of(array, in_hbm=True) for array in touched)
    return total


def find_costs(text: str) -> list[Cost]:
    """Return the costs that the compiler's model gives to instructions, the highest first."""
    costs = []
    for instruction in _instructions(text):
        if not instruction.in_entry:
            continue
        if cycles := CYCLES.search(instruction.attributes):
            source = SOURCE.search(instruction.attributes)
            costs.append(Cost(int(cycles[1]), instruction.shape, source[1] if source else ""))
    return sorted(costs, reverse=True)


def size_of(shape: str, in_hbm: bool = False) -> int:
    """Return the bytes of an array or of a tuple of arrays, as in "(f32[2,3]{1,0}, pred[8])".

    Args:
      shape: the shape as the compiler writes it.
      in_hbm: count only arrays that are in the main memory.
    """
    return sum(
        # Every type but pred, which takes 8 bits, has the number of its bits in its name.
        math.ceil(int(bits or 8) * math.prod(int(n) for n in lengths.split(",") if n) / 8)
        for bits, lengths, layout in ARRAY.findall(shape)
        if not (in_hbm and "S(" in layout)
    )


def _instructions(text: str) -> Iterator[_Instruction]:
    computation, in_entry = "", False
    for line in text.splitlines():
        if header := COMPUTATION.match(line):
            in_entry, computation = bool(header[1]), header[2]
        elif instruction := INSTRUCTION.match(line):
            name, shape, operation, operands, attributes = instruction.groups()
            names = tuple(re.findall(r"%([\w.-]+)", operands))
            yield _Instruction(computation, in_entry, name, shape, operation, names, attributes)
