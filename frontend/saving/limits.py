"""How much a model file may make us use."""

from __future__ import annotations

from dataclasses import dataclass

KIBI, MEBI, GIBI = 1 << 10, 1 << 20, 1 << 30


@dataclass(frozen=True)
class Limits:
    """The most that reading one model file may take. Sizes are in bytes.

    The defaults leave room for every model of `keras.applications` many times over; raise them for
    larger ones: `Limits(weights_bytes=64 * GIBI)`.
    """

    config_bytes: int = 32 * MEBI
    """The JSON that describes the model."""
    json_values: int = 2_000_000
    """Values in that JSON, counted together."""
    json_depth: int = 100
    """Nesting of lists and dictionaries in that JSON."""
    metadata_bytes: int = 1 * MEBI
    """`metadata.json` of an archive."""
    weights_bytes: int = 16 * GIBI
    """`model.weights.h5` once decompressed, and every array in an HDF5 file."""
    asset_bytes: int = 256 * MEBI
    """Vocabularies in an archive, together."""
    members: int = 10_000
    """Files in an archive."""
    expansion: int = 1_000
    """How many times its stored size something may reach: weights 2, all zeros 1,000."""
    expansion_floor: int = 64 * MEBI
    """Below this size, `expansion` does not count."""
    hdf5_objects: int = 200_000
    """Groups and datasets in an HDF5 file."""
    hdf5_depth: int = 64
    """Nesting of groups in an HDF5 file."""
    hdf5_metadata_bytes: int = 64 * MEBI
    """What is read of an HDF5 file before any array is."""
    hdf5_text_bytes: int = 48 * MEBI
    """All texts among the attributes of an HDF5 file together, the model's JSON included."""

    def most_from(self, stored: int) -> int:
        """Return how many bytes `stored` bytes may become."""
        return max(self.expansion_floor, self.expansion * stored)


DEFAULT_LIMITS = Limits()


def readable_size(size: int) -> str:
    """Return a number of bytes as people say it: `512 bytes`, `3.2 MiB`, `8 PiB`."""
    if size < KIBI:
        return f"{size} bytes"
    power = min((size.bit_length() - 1) // 10, 6)
    return f"{size / (1 << 10 * power):.3g} {'KMGTPE'[power - 1]}iB"
