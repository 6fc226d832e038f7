"""The records of a zip archive, as PKWARE's APPNOTE 6.3 lays them out."""

from __future__ import annotations

import struct

LOCAL = struct.Struct("<4s5H3I2H")
"""Before each member: signature … crc at 14, sizes, lengths of name and extra."""
CENTRAL = struct.Struct("<4s6H3I5H2I")
"""Each member in the directory: signature … crc at 16, sizes, lengths of name, extra and comment."""
END = struct.Struct("<4s4H2IH")
"""Behind the directory: signature … its size, its offset, length of the comment."""
END64 = struct.Struct("<4sQ2H2I4Q")
"""Behind a directory whose numbers do not fit."""
LOCATOR64 = struct.Struct("<4sIQI")
"""Where that is."""
IS_ENCRYPTED, HAS_DESCRIPTOR, HAS_UTF8 = 0x1, 0x8, 0x800
"""Flags of a member; with a descriptor, its checksum and sizes stand behind its data."""
IN_EXTRA = 0xFFFFFFFF
"""Stands for a number that does not fit, and stands elsewhere."""
