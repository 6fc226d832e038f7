"""What a refusal must say, by file: its class, and a part of its message as a regular expression.

The unit tests of the scanner and of archives open these files themselves, and expect the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.case import DAMAGED, UNSAFE, UNSUPPORTED
from tests.hostile.corpus import CASES

if TYPE_CHECKING:
    from tests.hostile.case import Case

_CIRCLE = "its groups contain each other in a cycle"
SCANNED = {
    "soft_link.weights.h5": (UNSAFE, "layers/dense/vars/2: it is a soft link"),
    "soft_link_dangling.weights.h5": (UNSAFE, "layers/dense/vars/2: it is a soft link"),
    "external_link.weights.h5": (UNSAFE, "layers/dense/vars/2: it is a link to another file"),
    "external_storage_relative.weights.h5": (UNSAFE, "layers/dense/vars/2: it keeps its values in another file"),
    "virtual_relative.weights.h5": (UNSAFE, "layers/dense/vars/2: it takes its values from other datasets"),
    "named_datatype.weights.h5": (UNSUPPORTED, "type: it is a named datatype"),
    "circle_of_one.weights.h5": (UNSAFE, f"layers/dense/again: {_CIRCLE}"),
    "circle_through_the_root.weights.h5": (UNSAFE, f"layers/dense/again: {_CIRCLE}"),
    "circle_of_two.weights.h5": (UNSAFE, _CIRCLE),
    "levels_65.weights.h5": (UNSAFE, "more than 64 levels"),
    "filter_lzf.weights.h5": (UNSUPPORTED, "layers/dense/vars/2: it is compressed with filter 32000"),
    "filter_scaleoffset.weights.h5": (UNSUPPORTED, "layers/dense/vars/2: it is compressed with filter 6"),
}
"""Files that the reading process refuses."""

_TWO_WAYS = "describes model.weights.h5 in two ways"
_LEADS_OUT = "a name that leads out of the archive"
_NO_ZIP = "not a sound zip archive"
PACKED = {
    "local_signature_model.weights.h5.keras": (DAMAGED, "has no header"),
    "local_streamed_model.weights.h5.keras": (DAMAGED, _TWO_WAYS),
    "local_method_deflate_model.weights.h5.keras": (DAMAGED, _TWO_WAYS),
    "local_checksum_model.weights.h5.keras": (DAMAGED, "keeps two checksums"),
    "local_packed_size_model.weights.h5.keras": (DAMAGED, _TWO_WAYS),
    "local_size_model.weights.h5.keras": (DAMAGED, _TWO_WAYS),
    "local_name_length_model.weights.h5.keras": (DAMAGED, _TWO_WAYS),
    "local_name_model.weights.h5.keras": (DAMAGED, _TWO_WAYS),
    "local_extra_length_model.weights.h5.keras": (DAMAGED, "runs over the archive's directory"),
    "overlap.keras": (DAMAGED, "overlap"),
    "member_absolute.keras": (UNSAFE, _LEADS_OUT),
    "member_upwards.keras": (UNSAFE, _LEADS_OUT),
    "member_upwards_inside.keras": (UNSAFE, _LEADS_OUT),
    "member_two_dots.keras": (UNSAFE, _LEADS_OUT),
    "member_backslash.keras": (UNSAFE, _LEADS_OUT),
    "member_drive.keras": (UNSAFE, _LEADS_OUT),
    "member_drive_alone.keras": (UNSAFE, _LEADS_OUT),
    "member_null.keras": (UNSAFE, _LEADS_OUT),
    "member_host.keras": (UNSAFE, _LEADS_OUT),
    "member_link.keras": (UNSAFE, "the member link is a symbolic link"),
    "twice_model.weights.h5.keras": (UNSAFE, "the member model.weights.h5 occurs twice"),
    "twice_config.json.keras": (UNSAFE, "the member config.json occurs twice"),
    "twice_other.keras": (UNSAFE, "the member other occurs twice"),
    "central_encrypted_model.weights.h5.keras": (UNSAFE, "the member model.weights.h5 is encrypted"),
    "central_encrypted_config.json.keras": (UNSAFE, "the member config.json is encrypted"),
    "cut_at_12_percent.keras": (DAMAGED, _NO_ZIP),
    "cut_at_24.keras": (DAMAGED, _NO_ZIP),
    "cut_at_87_percent.keras": (DAMAGED, _NO_ZIP),
    "cut_before_the_last_byte.keras": (DAMAGED, _NO_ZIP),
    "cut_before_the_last_22.keras": (DAMAGED, _NO_ZIP),
}
"""Archives that are refused before anything in them is read."""

REASONS = SCANNED | PACKED


def cases_of(reasons: dict[str, tuple[str, str]]) -> list[tuple[Case, str, str]]:
    """Each case with its class and what it must say."""
    by_file = {case.file: case for case in CASES}
    return [(by_file[file], *expected) for file, expected in reasons.items()]
