"""Reads collectives and costs out of the text of a program that XLA has compiled for TPU."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# A reduce-scatter is mostly written as a fusion of this name, of an all-reduce and a slice.
REDUCE_SCATTER_FUSION = "all-reduce-scatter"

COMPUTATION = re.compile(r"(ENTRY )?%([\w.-]+) \(.*\{$")
INSTRUCTION = re.compile(r"\s+(?:ROOT )?%([\w.-]+) = (\(.*?\)|\S+) ([a-z][\w-]*)\(([^)]*)\)(.*)")
CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
SOURCE = re.compile(r'op_name="([^"]*)"')
CHANNEL = re.compile(r"channel_id=(\d+)")
ARRAY = re.compile(r"\b[a-z]+(\d+)?\w*\[([\d,]*)\](?:\{([^}]*)\})?")  # bits, lengths, layout

# Instructions that name data and move none, and targets of custom calls that do the same.
FREE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast")
FREE_TARGETS = ('"ConcatBitcast"', '"AllocateBuffer"')
NO_ESTIMATE = 2**60  # cycles; the compiler's sign that it knows of no good way


class Collective(NamedTuple):
    """Communication among the chips."""

    kind: str  # one of KINDS
    size: int  # bytes of the array that is reduced, gathered, scattered or sent, on one chip
    overlapped: bool  # whether other work goes on meanwhile


class Cost(NamedTuple):
    """What the compiler's own model says of an instruction."""

    cycles: int  # of the core; NO_ESTIMATE and more where the compiler has none
    shape: str  # of what it computes, with its layout
    source: str  # the operation of JAX that it comes from


class _Instruction(NamedTuple):
    computation: str
    of_entry: bool  # whether that computation is the program itself
    name: str
    shape: str
    operation: str
    operands: tuple[str, ...]
    attributes: str


def collectives(text: str) -> list[Collective]:
    """The collectives of a program, each as often as it is written: loops are not multiplied out.

    What runs beside other work is written in pieces: as a start and an end, or spread over the
    computations beside which it runs, with one channel for all pieces.

    Args:
      text: what `as_text` of a compiled program gives.
    """
    instructions = list(_instructions(text))
    shapes = {instruction.name: instruction.shape for instruction in instructions}
    ends = {
        instruction.operands[0]: instruction.shape
        for instruction in instructions
        if instruction.operation.endswith("-done")
    }
    found: dict[str, Collective] = {}
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
        overlapped = started or key in found
        found[key] = Collective(kind, max(size_of(result), operands), overlapped)
    return list(found.values())


def hbm_bytes(text: str) -> int:
    """What the instructions of a program read from a chip's main memory and write to it.

    Arrays that the compiler keeps in the fast memory, S(1) in its text, are not counted, nor is
    what fills arrays up to whole tiles. Transfers that run beside other work count where they end.
    """
    instructions = list(_instructions(text))
    shapes = {instruction.name: instruction.shape for instruction in instructions}
    total = 0
    for _, of_entry, _, shape, operation, operands, attributes in instructions:
        free = operation in FREE or operation.endswith("-start")
        if not of_entry or free or any(target in attributes for target in FREE_TARGETS):
            continue
        if operation.endswith("-done"):
            total += size_of(shape)  # read or written: the other side is fast memory
        else:
            touched = (shape, *(shapes[name] for name in operands))
            total += sum(size_of(array, in_hbm=True) for array in touched)
    return total


def costs(text: str) -> list[Cost]:
    """The instructions that take time by the compiler's own model, the costliest first."""
    found = []
    for instruction in _instructions(text):
        if not instruction.of_entry:
            continue
        if cycles := CYCLES.search(instruction.attributes):
            source = SOURCE.search(instruction.attributes)
            found.append(Cost(int(cycles[1]), instruction.shape, source[1] if source else ""))
    return sorted(found, reverse=True)


def size_of(shape: str, in_hbm: bool = False) -> int:
    """Bytes of an array or of a tuple of arrays, as in "(f32[2,3]{1,0}, pred[8])".

    Args:
      shape: the text.
      in_hbm: count arrays in the main memory alone.
    """
    return sum(
        # Only pred has no number of bits in its name.
        math.ceil(int(bits or 8) * math.prod(int(n) for n in lengths.split(",") if n) / 8)
        for bits, lengths, layout in ARRAY.findall(shape)
        if not (in_hbm and "S(" in layout)
    )


def _instructions(text: str) -> Iterator[_Instruction]:
    computation, of_entry = "", False
    for line in text.splitlines():
        if header := COMPUTATION.match(line):
            of_entry, computation = bool(header[1]), header[2]
        elif found := INSTRUCTION.match(line):
            name, shape, operation, operands, attributes = found.groups()
            names = tuple(re.findall(r"%([\w.-]+)", operands))
            yield _Instruction(computation, of_entry, name, shape, operation, names, attributes)
