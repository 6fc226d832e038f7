"""Names of HDF5 types: NumPy's codes for plain numbers, else names in angle brackets.

Only the reading process imports this module.
"""

from __future__ import annotations

import math

import numpy as np
from h5py import h5t

_FLOATS = {
    2: (h5t.IEEE_F16LE, h5t.IEEE_F16BE),
    4: (h5t.IEEE_F32LE, h5t.IEEE_F32BE),
    8: (h5t.IEEE_F64LE, h5t.IEEE_F64BE),
}
_INTEGER_SIZES = {1, 2, 4, 8}
_BOOLEAN = {b"FALSE": 0, b"TRUE": 1}  # h5py stores NumPy's booleans as this enumeration
_LENGTH, _NUMBER, _MARKS = 4, 4, 2  # bytes: of a length, of a number in the heap of text and lists, of a reference
LONG_TEXT = "<text of variable length>"


def refers(kind: h5t.TypeID) -> bool:
    """Whether values of this type are references to other places in the file; text of variable length is not."""
    match kind.get_class():
        case h5t.VLEN | h5t.REFERENCE:
            return True
        case h5t.ARRAY:
            return _points(kind.get_super())
        case h5t.COMPOUND:
            return any(_points(kind.get_member_type(number)) for number in range(kind.get_nmembers()))
        case _:
            return False


def _points(kind: h5t.TypeID) -> bool:
    return refers(kind) or (kind.get_class() == h5t.STRING and kind.is_variable_str())


def type_name(kind: h5t.TypeID) -> str:
    """NumPy's letter code of a plain number, boolean or 2-byte opaque type, else a name in angle brackets."""
    size, family = kind.get_size(), kind.get_class()
    if family == h5t.FLOAT:
        # Compared as a whole: a float of the same size may lay out its bits in another way.
        for order, known in zip("<>", _FLOATS.get(size, ()), strict=False):
            if kind == known:
                return f"{order}f{size}"
    # An integer with padding bits is not NumPy's, whatever its size.
    if family == h5t.INTEGER and size in _INTEGER_SIZES and kind.get_precision() == size * 8:
        sign = "i" if kind.get_sign() == h5t.SGN_2 else "u"
        return f"{'>' if kind.get_order() == h5t.ORDER_BE else '<'}{sign}{size}"
    if family == h5t.ENUM and size == 1 and _members(kind) == _BOOLEAN:
        return "|b1"
    if family == h5t.OPAQUE:
        return f"|V{size}"
    return _other_name(kind)


def _other_name(kind: h5t.TypeID) -> str:
    """The name of a type that is not a plain number; references and variable-length text have names of their own."""
    family = kind.get_class()
    if family == h5t.STRING and kind.is_variable_str():
        return LONG_TEXT
    if family in {h5t.COMPOUND, h5t.ARRAY} and refers(kind):
        return f"<{'compound' if family == h5t.COMPOUND else 'array'} with references>"
    if family in {h5t.FLOAT, h5t.INTEGER}:
        return f"<{_number_name(kind)}>"
    if family == h5t.COMPOUND and (size := _complex_size(kind)):
        return f"<complex{size}>"
    names = {
        h5t.STRING: "text",
        h5t.COMPOUND: "compound",
        h5t.VLEN: "list of variable length",
        h5t.REFERENCE: "reference",
        h5t.ENUM: "enumeration",
        h5t.ARRAY: "array",
        h5t.BITFIELD: "bit field",
        h5t.TIME: "time",
    }
    return f"<{names.get(family, 'type of an unknown class')}>"


def _number_name(kind: h5t.TypeID) -> str:
    """The name of a number that NumPy does not have: ``float24``, ``int12 in 2 bytes``, ``long double``."""
    bits, size = int(kind.get_precision()), int(kind.get_size())
    if kind.get_class() == h5t.FLOAT:
        if kind == h5t.NATIVE_LDOUBLE:
            return "long double"
        _, _, exponent, _, _ = kind.get_fields()
        return f"float{bits}" if bits // 8 not in _FLOATS else f"float{bits} with {exponent} bits of exponent"
    letter = "" if kind.get_sign() == h5t.SGN_2 else "u"
    return f"{letter}int{bits}" if bits == size * 8 else f"{letter}int{bits} in {size} bytes"


def _complex_size(kind: h5t.TypeCompoundID) -> int:
    """Bits of a complex number as h5py stores it: two equal floats called r and i; 0 for any other compound."""
    if [kind.get_member_name(number) for number in range(kind.get_nmembers())] != [b"r", b"i"]:
        return 0
    real, imaginary = kind.get_member_type(0), kind.get_member_type(1)
    return int(kind.get_size()) * 8 if real == imaginary and real.get_class() == h5t.FLOAT else 0


def stored_size(kind: h5t.TypeID, address: int) -> int:
    """Bytes of one element in the file; the library gives those in memory, where text and lists are pointers.

    Args:
        kind: The type, as a dataset or an attribute has it.
        address: Bytes of an address in this file.
    """
    size = int(kind.get_size())
    match kind.get_class():
        case h5t.VLEN:
            return _LENGTH + address + _NUMBER
        case h5t.STRING if kind.is_variable_str():
            return _LENGTH + address + _NUMBER
        case h5t.REFERENCE:
            return _reference_size(kind, address)
        case h5t.ARRAY:
            return int(math.prod(kind.get_array_dims())) * stored_size(kind.get_super(), address)
        case h5t.COMPOUND:
            members = [kind.get_member_type(number) for number in range(kind.get_nmembers())]
            return size + sum(stored_size(member, address) - int(member.get_size()) for member in members)
        case _:
            return size


def _reference_size(kind: h5t.TypeID, address: int) -> int:
    if kind == h5t.STD_REF_OBJ:
        return address
    # References of HDF5 1.12 and later hold two bytes of their own and a length before the same.
    return address + _NUMBER + (0 if kind == h5t.STD_REF_DSETREG else _MARKS + _LENGTH)


def type_of(name: str) -> h5t.TypeID:
    """The HDF5 type of a NumPy code, as `type_name` gives it; two opaque bytes for bfloat16."""
    if name == "|V2":
        kind = h5t.create(h5t.OPAQUE, 2)
        kind.set_tag(b"")
        return kind
    return h5t.py_create(np.dtype(name), logical=True)


def _members(kind: h5t.TypeEnumID) -> dict[bytes, int]:
    return {kind.get_member_name(i): kind.get_member_value(i) for i in range(kind.get_nmembers())}
