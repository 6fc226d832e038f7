"""CRC-32 of a part of a file, computed by two threads and combined."""

from __future__ import annotations

import os
import zlib

from weightkit.access.threads import WORTH_THREADS
from weightkit.errors import DamagedFileError

_STEP = 256 << 10  # bytes: small enough to stay in the cache
_POLYNOMIAL = 0xEDB88320  # of CRC-32, bits reversed: bit 31 is the coefficient of x^0
_ONE = 1 << 31


def crc32_of(fd: int, start: int, length: int) -> int:
    """CRC-32 of ``length`` bytes from ``start`` of an open file.

    Raises:
        DamagedFileError: The file ends before that.
    """
    if length < WORTH_THREADS:
        return _crc32(fd, start, length)
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # small files start faster without

    half = length // 2
    with ThreadPoolExecutor(1) as pool:
        # zlib gives up the interpreter lock for large buffers, so both halves really run at once.
        second = pool.submit(_crc32, fd, start + half, length - half)
        first = _crc32(fd, start, half)
        return joined(first, second.result(), length - half)


def joined(first: int, second: int, second_length: int) -> int:
    """CRC-32 of two concatenated byte strings, from the CRC-32 of each and the second's length in bytes.

    Appending ``n`` zero bytes multiplies a checksum, as a polynomial over GF(2), by ``x**(8 * n)``.
    """
    return _times(first, _power_of_x(8 * second_length)) ^ second


def _crc32(fd: int, start: int, length: int) -> int:
    checksum, stop = 0, start + length
    buffer = memoryview(bytearray(min(_STEP, length)))
    while start < stop:
        count = os.preadv(fd, [buffer[: stop - start]], start)
        if count == 0:
            raise DamagedFileError(f"the file must have {stop - start} more bytes, but it ends at byte {start}")
        checksum = zlib.crc32(buffer[:count], checksum)
        start += count
    return checksum


def _times(a: int, b: int) -> int:
    """The product of two polynomials modulo CRC-32's."""
    product = 0
    for power in range(31, -1, -1):
        if a >> power & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


def _power_of_x(exponent: int) -> int:
    """``x**exponent`` modulo CRC-32's polynomial, by squaring."""
    # 1 and x: with the bits reversed, a shift to the right multiplies by x.
    power, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            power = _times(power, square)
        square = _times(square, square)
        exponent >>= 1
    return power
