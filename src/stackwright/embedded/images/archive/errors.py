"""What can be wrong with an archive."""

from __future__ import annotations

from stackwright.embedded.errors import BadParameter


class BadArchive(BadParameter):
    """The archive is damaged, hostile, or uses something that is not read here. The message names the
    entry.
    """


class TooLarge(BadArchive):
    """The archive passes a limit (unpacked bytes, entries): a decompression bomb, or a disk too small for
    it.
    """
