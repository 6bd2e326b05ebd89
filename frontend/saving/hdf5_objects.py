"""The objects of an HDF5 file through pyfive, behind a gate of ours.

pyfive sees the file as a `BoundedFile` and is asked for structure alone: what a message means is
decided in `hdf5_messages`, and no element of an array is read here. Where a hostile file could make
pyfive work or allocate out of proportion, the size is checked first. This module is imported only
when a file is read.
"""

# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from pyfive.btree import (
    BTreeV1Groups,
    BTreeV1RawDataChunks,
    BTreeV2AttrNames,
    BTreeV2GroupNames,
)
from pyfive.dataobjects import DataObjects
from pyfive.misc_low_level import (
    FORMAT_SIGNATURE,
    FractalHeap,
    GlobalHeap,
    Heap,
    SuperBlock,
    SymbolTable,
)

from kerac.ir.errors import FormatError
from kerac.saving.hdf5_messages import UNDEFINED_ADDRESS, Message, unpack
from kerac.saving.limits import MEBI
from kerac.saving.source import BoundedFile, Storage

FRACTAL_HEAP_HEADER = "4sBHHBI12QHQQHHQH"
TREE_HEADER = "4sBBIHH"
SHARED_FLAG = 2
LONGEST_NAME = 4096
HEADER_BYTES, HEADER_READS = 16 * MEBI, 2_000
# What the HDF5 library itself writes stays below these.
WIDEST_HEAP_TABLE, MOST_HEAP_ROWS, LARGEST_HEAP_BLOCK, DEEPEST_TREE = 32, 64, 64 * MEBI, 8


class ObjectFile:
    """The headers, heaps and chunk trees of one HDF5 file."""

    def __init__(self, storage: Storage, budget: int) -> None:
        self.file = BoundedFile(storage, budget)
        self._heaps: dict[int, GlobalHeap] = {}

    def root_address(self) -> int:
        """Return where the header of the root group is."""
        if self.file.read(len(FORMAT_SIGNATURE)) != FORMAT_SIGNATURE:
            raise FormatError("it does not begin as an HDF5 file does")
        superblock = SuperBlock(self.file, 0)
        end = superblock._contents["end_of_file_address"]
        if end > self.file.size:
            raise FormatError(
                f"the file should have {end} bytes, but has {self.file.size}",
                remedy="It is truncated: copy or save it again.",
            )
        if superblock._contents["base_address"]:
            raise FormatError(
                "its addresses do not count from its first byte, and such files are not read"
            )
        return int(superblock.offset_to_dataobjects)

    def header(self, address: int) -> Header:
        """Return the object whose header is at `address`."""
        with self.file.portion(HEADER_BYTES, HEADER_READS):
            return Header(self, address)

    def heap_text(self, reference: bytes) -> bytes:
        """Return the text that a reference (length, heap, number) in an attribute names."""
        length, address, number = unpack("IQI", reference)
        if length == 0:
            return b""
        if address not in self._heaps:
            self._heaps[address] = GlobalHeap(self.file, address)
        found = self._heaps[address].objects.get(number)
        if found is None or len(found) < length:
            raise FormatError("a text is not in the heap where it should be")
        return bytes(found[:length])

    def chunks(self, address: int, ndim: int) -> Iterator[tuple[tuple[int, ...], int, int, int]]:
        """Yield each chunk's first index along each axis, address, size, skipped filters."""
        tree = BTreeV1RawDataChunks(self.file, address, ndim + 1)
        for node in tree.all_nodes[0]:
            for key, chunk_address in zip(node["keys"], node["addresses"], strict=True):
                yield key["chunk_offset"][:-1], chunk_address, key["chunk_size"], key["filter_mask"]

    def heap_objects(self, heap: int, tree: int, kind: type) -> Iterator[bytes]:
        """Yield the messages that are in a heap, being many, through a tree of one kind."""
        objects = self._fractal_heap(heap)
        self._check_tree(tree)
        for record in kind(self.file, tree).iter_records():
            data = objects.get_data(record["heapid"])
            if data is None:
                raise FormatError("a message is not in the heap where it should be")
            yield bytes(data)

    def _fractal_heap(self, address: int) -> FractalHeap:
        """Return the heap at `address` if its table is as small as the HDF5 library makes it."""
        self.file.seek(address)
        fields = unpack(
            FRACTAL_HEAP_HEADER, self.file.read(struct.calcsize("<" + FRACTAL_HEAP_HEADER))
        )
        tree_of_huge_objects = fields[7]
        *_, width, start, largest, log2_size, _, _, rows = fields
        if (
            width > WIDEST_HEAP_TABLE
            or rows > MOST_HEAP_ROWS
            or log2_size > 64
            or max(start, largest) > LARGEST_HEAP_BLOCK
        ):
            raise FormatError(f"a heap with a table of {rows} rows of {width} blocks is not valid")
        if tree_of_huge_objects != UNDEFINED_ADDRESS:
            self._check_tree(tree_of_huge_objects)
        return FractalHeap(self.file, address)

    def _check_tree(self, address: int) -> None:
        self.file.seek(address)
        *_, depth = unpack(TREE_HEADER, self.file.read(struct.calcsize("<" + TREE_HEADER)))
        if depth > DEEPEST_TREE:
            raise FormatError(f"a tree of depth {depth} is not valid")


class NameHeap(Heap):
    """The names in an old-style group; they must be short, because many links may share one."""

    def get_object_name(self, offset: int) -> bytes:
        """Return the name at `offset`, which ends at a zero byte."""
        return bytes(self.data[offset : self.data.index(b"\0", offset, offset + LONGEST_NAME)])


class Header(DataObjects):
    """One object header: its messages, and for a group its links."""

    def __init__(self, objects: ObjectFile, address: int) -> None:
        self.objects = objects
        super().__init__(objects.file, address)

    def bodies(self, kind: Message) -> list[bytes]:
        """Return the bodies of all messages of one kind."""
        return [self._body(message) for message in self.find_msg_type(kind)]

    def body(self, kind: Message) -> bytes:
        """Return the body of the only message of its kind."""
        bodies = self.bodies(kind)
        if len(bodies) != 1:
            raise FormatError(
                f"it has {len(bodies)} messages {kind.name.lower()}, but 1 is expected"
            )
        return bodies[0]

    def has(self, kind: Message) -> bool:
        """Whether there is a message of this kind."""
        return bool(self.find_msg_type(kind))

    def _body(self, message: dict[str, Any]) -> bytes:
        if message["flags"] & SHARED_FLAG:
            raise FormatError(
                "a header message refers to another object, and such files are not read"
            )
        start = message["offset_to_message"]
        body = bytes(self.msg_data[start : start + message["size"]])
        if len(body) != message["size"]:
            raise FormatError("a header message ends too early")
        return body

    def attribute_messages(self) -> Iterator[bytes]:
        """Yield the body of every attribute, whether it lies in the header or in a heap."""
        yield from self.bodies(Message.ATTRIBUTE)
        for body in self.bodies(Message.ATTRIBUTE_INFO):
            _, flags = unpack("BB", body)
            heap, tree = unpack("QQ", body, 4 if flags & 1 else 2)
            if heap != UNDEFINED_ADDRESS:
                yield from self.objects.heap_objects(heap, tree, BTreeV2AttrNames)

    def links(self) -> Iterator[tuple[str, int]]:
        """Yield name and header address of every object in the group; links are refused."""
        for name, target in self.iter_links():
            if not isinstance(target, int):
                raise _refused_link(name, "a soft link", repr(target))
            yield name, target

    def _iter_links_btree_v1(self, tree: int, heap: int) -> Iterator[tuple[str, Any]]:
        names = NameHeap(self.fh, heap)
        for address in BTreeV1Groups(self.fh, tree).symbol_table_addresses():
            table = SymbolTable(self.fh, address)
            table.assign_name(names)
            yield from table.get_links(names).items()

    def _iter_links_btree_v2(
        self, names: int, order: int | None, heap: int
    ) -> Iterator[tuple[str, Any]]:
        for data in self.objects.heap_objects(heap, names, BTreeV2GroupNames):
            yield self._decode_link_msg(data, 0)[1]

    @staticmethod
    def _decode_link_msg(data: bytes, offset: int) -> Any:
        _, flags = unpack("BB", data, offset)
        kind = unpack("B", data, offset + 2)[0] if flags & 8 else 0
        if kind not in (0, 1):
            start = offset + 3 + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
            (length,) = unpack("BHIQ"[flags & 3], data, start)
            start += 1 << (flags & 3)
            name = data[start : start + min(length, LONGEST_NAME)].decode(errors="replace")
            described = "an external link" if kind == 64 else f"a link of kind {kind}"
            raise _refused_link(name, described, "another file")
        return DataObjects._decode_link_msg(data, offset)


def _refused_link(name: str, kind: str, target: str) -> FormatError:
    return FormatError(
        f"{name!r} is {kind} to {target}, and links are never followed",
        remedy="Store the group or dataset itself under that name.",
    )
