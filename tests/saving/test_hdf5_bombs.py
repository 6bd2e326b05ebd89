"""Small HDF5 files, made byte by byte, that would keep a trusting reader busy without end."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from kerac.ir.errors import FormatError
from kerac.saving.hdf5 import read_tree
from kerac.saving.limits import MEBI

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
START = 96  # where the superblock ends
CONTINUATION, SYMBOL_TABLE, ATTRIBUTE = 0x10, 0x11, 0x0C


def file_of(root: bytes, rest: bytes = b"") -> bytes:
    """A file whose root header begins at START, with anything behind it."""
    size = START + len(root) + len(rest)
    versions = bytes([0, 0, 0, 0, 0, 8, 8, 0])
    superblock = b"\x89HDF\r\n\x1a\n" + versions
    superblock += struct.pack("<HHIQQQQ", 4, 16, 0, 0, UNDEFINED, size, UNDEFINED)
    superblock += struct.pack("<QQII16s", 0, START, 0, 0, b"")
    assert len(superblock) == START
    return superblock + root + rest


def message(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 8)
    return struct.pack("<HHB3s", kind, len(body), 0, b"") + body


def header(*messages: bytes, count: int | None = None) -> bytes:
    body = b"".join(messages)
    return struct.pack("<BBHIII", 1, 0, count or len(messages), 1, len(body), 0) + body


def group_header(tree: int, heap: int) -> bytes:
    return header(message(SYMBOL_TABLE, struct.pack("<QQ", tree, heap)))


GROUP_SIZE = len(group_header(0, 0))


def tree_node(level: int, children: list[int]) -> bytes:
    node = struct.pack("<4sBBHQQ", b"TREE", 0, level, len(children), UNDEFINED, UNDEFINED)
    return node + b"".join(struct.pack("<QQ", 0, child) for child in children) + bytes(8)


def name_heap(address: int, names: bytes) -> bytes:
    size = struct.calcsize("<4sB3sQQQ")
    return struct.pack("<4sB3sQQQ", b"HEAP", 0, b"", len(names), 0, address + size) + names


def continuations_of_continuations() -> bytes:
    """A header whose continuation is 40,000 bytes of continuations, each to all of it."""
    at = START + 16 + 24
    block = message(CONTINUATION, struct.pack("<QQ", at, 24 * 1700))
    first = header(block, count=65535)
    return file_of(first, block * 1700)


def tree_of_shared_nodes() -> bytes:
    """A tree of 60 levels; all entries of a node lead to the same node below: 50 ** 60 leaves."""
    heap_at = START + GROUP_SIZE
    heap = name_heap(heap_at, bytes(16))
    first = heap_at + len(heap)
    size = len(tree_node(0, [0] * 50))
    nodes = [tree_node(59 - i, [first + size * (i + 1)] * 50) for i in range(59)]
    return file_of(
        group_header(first, heap_at), heap + b"".join(nodes) + tree_node(0, [START] * 50)
    )


def long_names() -> bytes:
    """Sixty thousand links that share a name of a megabyte."""
    heap_at = START + GROUP_SIZE
    heap = name_heap(heap_at, b"x" * MEBI + b"\0")
    tree_at = heap_at + len(heap)
    tree = tree_node(0, [tree_at + len(tree_node(0, [0]))])
    entry = struct.pack("<QQII16s", 0, START, 0, 0, b"")
    table = struct.pack("<4sBBH", b"SNOD", 1, 0, 60_000) + entry * 60_000
    return file_of(group_header(tree_at, heap_at), heap + tree + table)


def text_attribute(heap_at: int, length: int, count: int) -> bytes:
    kind = struct.pack("<BBBBI", 0x19, 1, 0, 0, 16) + struct.pack(
        "<BBBBIHH", 0x13, 0, 0, 0, 1, 0, 8
    )
    space = struct.pack("<BBBB4sQ", 1, 1, 0, 0, b"", count)
    elements = struct.pack("<IQI", length, heap_at, 1) * count
    name = b"a\0".ljust(8, b"\0")
    sizes = struct.pack("<BBHHH", 1, 0, 2, len(kind), len(space))
    kind += bytes(-len(kind) % 8)
    return message(ATTRIBUTE, sizes + name + kind + space + elements)


def one_text_many_times() -> bytes:
    """An attribute of 3,000 texts that are all the same megabyte."""
    group = message(SYMBOL_TABLE, struct.pack("<QQ", 0, 0))
    heap_at = START + len(header(group, text_attribute(0, MEBI, 3000)))
    root = header(group, text_attribute(heap_at, MEBI, 3000))
    size = 16 + 16 + MEBI
    heap = struct.pack("<4sB3sQ", b"GCOL", 1, b"", size) + struct.pack("<HHIQ", 1, 1, 0, MEBI)
    return file_of(root, heap + b"x" * MEBI)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (continuations_of_continuations(), "larger than the limit, or are read over and over"),
        (tree_of_shared_nodes(), "larger than the limit, or are read over and over"),
        (long_names(), "is damaged, or is not laid out as HDF5 says"),
        (
            one_text_many_times(),
            "the texts in the attributes of the file are larger than the limit",
        ),
    ],
    ids=["continuations", "tree", "names", "text"],
)
def test_bombs_are_refused(data: bytes, reason: str) -> None:
    tracemalloc.start()
    with pytest.raises(FormatError, match=reason):
        read_tree(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150 * MEBI


def test_an_empty_group_made_by_hand_is_read() -> None:
    heap_at = START + GROUP_SIZE
    heap = name_heap(heap_at, bytes(16))
    tree_at = heap_at + len(heap)
    table_at = tree_at + len(tree_node(0, [0]))
    table = struct.pack("<4sBBH", b"SNOD", 1, 0, 0)
    data = file_of(group_header(tree_at, heap_at), heap + tree_node(0, [table_at]) + table)
    tree = read_tree(data)
    assert (tree.groups, tree.datasets, tree.attributes) == ({}, {}, {})
