"""HDF5 files as a tree of plain data: groups, attributes, and arrays that are read when asked for.

`read_tree` looks at every object of the file once and refuses what a model file has no business
with: links to other names or files, external and virtual storage, compound and variable-length
elements, filters that we do not know, arrays larger than what is stored of them could hold. After
it, `Dataset.read` can only fail on damage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from kerac.ir.errors import CompileError, FormatError
from kerac.saving.hdf5_attributes import AttributeValue, read_attributes
from kerac.saving.hdf5_messages import (
    FLOATS,
    ElementType,
    Message,
    NumberType,
    OpaqueType,
    TextType,
    dtype_by_name,
    read_dataspace,
    read_datatype,
)
from kerac.saving.hdf5_storage import ArrayStorage, array_storage, read_array
from kerac.saving.limits import DEFAULT_LIMITS, MEBI, Limits, readable_size
from kerac.saving.source import Storage, StorageSource, source_name

if TYPE_CHECKING:
    from kerac.saving.hdf5_objects import Header, ObjectFile

SIGNATURE = b"\x89HDF\r\n\x1a\n"


@dataclass(frozen=True)
class Dataset:
    """An array in the file. Nothing of it is in memory before `read`."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attributes: dict[str, AttributeValue]
    _storage: ArrayStorage = field(repr=False)

    @property
    def nbytes(self) -> int:
        """Bytes that `read` will return."""
        return self._storage.nbytes

    def read(self) -> np.ndarray[Any, np.dtype[Any]]:
        """Return a new array in C order and native byte order."""
        with reported(self._storage.label, self.path):
            return read_array(self._storage, self.shape, self.dtype)


@dataclass(frozen=True)
class Group:
    """A folder in the file."""

    path: str
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)

    def walk(self) -> Iterator[Group]:
        """Yield this group and all groups in it, outer before inner."""
        pending = [self]
        while pending:
            group = pending.pop()
            yield group
            pending.extend(reversed(group.groups.values()))

    def find(self, path: str) -> Group | Dataset | None:
        """Return what is at `path`, counted from here, or None."""
        *names, last = path.split("/")
        group: Group | None = self
        for name in names:
            group = group.groups.get(name) if group else None
        if group is None:
            return None
        return group.groups.get(last) or group.datasets.get(last)


def read_tree(
    source: StorageSource, limits: Limits = DEFAULT_LIMITS, *, label: str | None = None
) -> Group:
    """Return the root group of an HDF5 file, given as a path or as its bytes.

    `label` is how messages call the file.
    """
    label = label or source_name(source)
    with reported(label, "/"):
        from kerac.saving.hdf5_objects import ObjectFile

        storage = Storage(source)
        with storage.opened():
            budget = min(4 * storage.size + MEBI, limits.hdf5_metadata_bytes)
            objects = ObjectFile(storage, budget)
            return _Walk(label, limits, storage, objects).run()


class _Walk:
    """One walk over all objects; it ends because no object is entered twice."""

    def __init__(self, label: str, limits: Limits, storage: Storage, objects: ObjectFile) -> None:
        self.label = label
        self.limits = limits
        self.storage = storage
        self.objects = objects
        self.seen: dict[int, str] = {}
        self.text_left = limits.hdf5_text_bytes
        self.array_bytes = 0

    def run(self) -> Group:
        root, pending = self.group("/", self.enter("/", self.objects.root_address()))
        while pending:
            parent, name, address, depth = pending.pop()
            path = f"{parent.path.rstrip('/')}/{name}"
            with reported(self.label, path):
                if depth > self.limits.hdf5_depth:
                    raise FormatError(f"groups are nested deeper than {self.limits.hdf5_depth}")
                header = self.enter(path, address)
                if header.has(Message.DATASPACE):
                    parent.datasets[name] = self.dataset(path, header)
                    continue
                parent.groups[name], inner = self.group(path, header)
                pending += [(group, key, link, depth + 1) for group, key, link, _ in inner]
        return root

    def enter(self, path: str, address: int) -> Header:
        if address in self.seen:
            raise FormatError(
                f"it is the same object as {self.seen[address]}, "
                "but every object must have one name",
                remedy="Store a copy under the second name.",
            )
        if len(self.seen) >= self.limits.hdf5_objects:
            raise FormatError(f"there are more than {self.limits.hdf5_objects} groups and datasets")
        self.seen[address] = path
        return self.objects.header(address)

    def group(self, path: str, header: Header) -> tuple[Group, list[tuple[Group, str, int, int]]]:
        """Return a group without its members yet, and its members in reverse order."""
        if not any(
            map(
                header.has,
                (Message.SYMBOL_TABLE, Message.LINK_INFO, Message.LINK, Message.GROUP_INFO),
            )
        ):
            raise FormatError("it is neither a group nor a dataset")
        group = Group(path, self.attributes(header))
        members: dict[str, int] = {}
        for name, address in header.links():
            if name in members or name in ("", ".", "..") or "/" in name or "\0" in name:
                raise FormatError(f"the name {name!r} in it is not valid, or is there twice")
            members[name] = address
        return group, [(group, name, address, 1) for name, address in reversed(members.items())]

    def attributes(self, header: Header) -> dict[str, AttributeValue]:
        values, texts = read_attributes(header, self.text_left)
        self.text_left -= texts
        return values

    def dataset(self, path: str, header: Header) -> Dataset:
        if header.has(Message.EXTERNAL_FILES):
            raise FormatError(
                "its values lie in other files, and those are never opened",
                remedy="Write the values into the file itself.",
            )
        shape = read_dataspace(header.body(Message.DATASPACE))
        if shape is None:
            raise FormatError("it has no elements and no shape, but an array is expected")
        attributes = self.attributes(header)
        dtype = _dtype(read_datatype(header.body(Message.DATATYPE)), attributes)
        storage = array_storage(
            self.label, self.storage, self.objects, header, shape, dtype, self.limits
        )
        self.count_bytes(storage.nbytes)
        return Dataset(path, shape, dtype.newbyteorder("="), attributes, storage)

    def count_bytes(self, nbytes: int) -> None:
        self.array_bytes += nbytes
        limit = min(self.limits.weights_bytes, self.limits.most_from(self.storage.size))
        if self.array_bytes > limit:
            raise FormatError(
                f"it and the arrays before it need {readable_size(self.array_bytes)}, "
                f"but the limit is {readable_size(limit)}",
                details=(f"the file has {readable_size(self.storage.size)}",),
                remedy="Pass higher Limits if the file is to be trusted.",
            )


def _dtype(element: ElementType, attributes: dict[str, AttributeValue]) -> np.dtype[Any]:
    match element:
        case NumberType(dtype):
            return dtype
        case OpaqueType(size):
            # Keras stores bfloat16 as two bytes that mean nothing to HDF5, and says so in an
            # attribute.
            name = attributes.get("dtype")
            if (
                isinstance(name, str)
                and name in FLOATS.values()
                and dtype_by_name(name).itemsize == size
            ):
                return dtype_by_name(name)
            raise FormatError("its elements are bytes without a meaning, but numbers are expected")
        case TextType():
            raise FormatError("its elements are texts, but numbers are expected")


@contextlib.contextmanager
def reported(label: str, path: str) -> Iterator[None]:
    """Make every failure in the block one error that names the file and the place in it.

    The parser below was not written for hostile files: whatever it stumbles over is damage, and is
    reported as such.
    """
    try:
        yield
    except CompileError as error:
        if error.fact.startswith(f"{label}: "):
            raise
        raise FormatError(
            f"{label}: {path}: {error.fact}", details=error.details, remedy=error.remedy
        ) from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")[:200]
        raise FormatError(
            f"{label}: {path}: is damaged, or is not laid out as HDF5 says",
            details=(f"while its structure was read: {reason}",),
            remedy="Copy the file again, or save the model again.",
        ) from None
