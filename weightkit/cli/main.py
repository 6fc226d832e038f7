"""Run a command: its result is printed, its error becomes one line and an exit code."""

from __future__ import annotations

import io
import mmap
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import typer.exceptions

from weightkit.cli import output
from weightkit.cli.app import app
from weightkit.errors import MachineError, RefusedError, RequestError, WeightkitError
from weightkit.escape import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

# Above 128 as shells count: 128 and the number of SIGINT, SIGTERM or SIGPIPE.
_REQUEST, _REFUSED, _MACHINE, _INTERRUPTED, _TERMINATED, _CLOSED_PIPE = 2, 3, 4, 130, 143, 141
_NUMPY = 96 << 20  # bytes of address space that NumPy 2 takes: 85 million
_HALF_DONE = "nothing was left half done"
_CODES: dict[type[WeightkitError], int] = {
    RequestError: _REQUEST,
    RefusedError: _REFUSED,
    MachineError: _MACHINE,
}


_SIGNALS = {signal.SIGINT: _INTERRUPTED, signal.SIGTERM: _TERMINATED, signal.SIGHUP: _TERMINATED}


_STOPS: list[Stopped] = []
"""Signals so far. NumPy 2 makes an ImportError of what interrupts its import, and the exception itself is lost."""


class Stopped(BaseException):
    """A signal asks this process to end; everything is cleaned up on the way out.

    Not `KeyboardInterrupt`: typer turns that into an exit code and loses its notes.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def main() -> NoReturn:
    """The console script."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or in the background of a script
            signal.signal(number, _stop)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that the terminal's encoding cannot show must not fail
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_without_memory() or run(sys.argv[1:]))


def _without_memory() -> int:
    """The exit code where NumPy could not be loaded; 0 where it can be.

    Where its OpenBLAS (0.3) cannot have memory or a thread while it is loaded, it ends the process with 1 or with
    SIGINT. So it gets one thread, which is all that weightkit's own work needs, and the memory is asked for first.
    """
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        mmap.mmap(-1, _NUMPY).close()
    except (OSError, MemoryError):
        problem = f"there is not enough memory: {_NUMPY >> 20} MiB cannot be had"
        return _fail(
            MachineError(problem, hint="free some, or raise its limit (ulimit -v)"), as_json="--json" in sys.argv
        )
    return 0


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code.

    0 done, 1 a comparison found differences, 2 the request is wrong, 3 the file is refused, 4 the system failed, 130
    and 143 interrupted.
    """
    # Not from typer: a command line that it cannot parse is answered in JSON too.
    as_json = "--json" in arguments
    try:
        # Outside its standalone mode, typer leaves errors and exit codes to this function.
        result = app(list(arguments), prog_name="weightkit", standalone_mode=False)
        code = result if isinstance(result, int) else 0
        if isinstance(result, output.Result):
            _print(result, as_json=as_json)
            code = result.code
    except BrokenPipeError:
        _silence(sys.stdout)
        return _CLOSED_PIPE
    except typer.exceptions.TyperException as error:
        return _fail(RequestError(error.format_message().rstrip("."), hint="see --help"), as_json=as_json)
    except Stopped as stopped:
        return _interrupted(stopped.code, _standing(stopped), as_json=as_json)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except Exception as error:  # noqa: BLE001  # whatever it is, the user gets one line, and the file is untouched
        if _STOPS:
            return _interrupted(_STOPS[-1].code, _standing(error), as_json=as_json)
        return _fail(_as_ours(error), as_json=as_json)
    return _interrupted(code, _HALF_DONE, as_json=as_json) if code == _INTERRUPTED else code


def _print(result: output.Result, *, as_json: bool) -> None:
    try:
        output.show(result, as_json=as_json)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except Exception as error:
        if isinstance(error, OSError):
            _silence(sys.stdout)
        why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        raise MachineError(
            f"the result cannot be printed: {why}", hint="everything else is done; send the output somewhere else"
        ) from error


def _fail(error: WeightkitError, *, as_json: bool) -> int:
    code = next(number for family, number in _CODES.items() if isinstance(error, family))
    output.show_error(error, code, as_json=as_json)
    return code


def _interrupted(code: int, standing: str, *, as_json: bool) -> int:
    output.show_problem("Interrupted", f"interrupted; {escape(standing)}", code, as_json=as_json)
    return code


def _as_ours(error: Exception) -> WeightkitError:
    if isinstance(error, WeightkitError):
        return error
    if isinstance(error, OSError):
        return MachineError(f"the system failed: {error}", hint=f"{_standing(error)}; try again")
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        hint = f"{_standing(error)}; end other processes, or raise their limit (ulimit -u)"
        return MachineError("no thread can be started", hint=hint)
    if isinstance(error, MemoryError):
        return MachineError("there is not enough memory", hint=f"{_standing(error)}; free some and try again")
    return MachineError(
        f"internal error: {type(error).__name__}: {error}",
        hint=f"{_standing(error)}; please report it",
    )


def _standing(error: BaseException) -> str:
    """What happened to the file: the code that was changing it adds a note; nothing is ever left half done."""
    return "; ".join(getattr(error, "__notes__", ())) or _HALF_DONE


def _stop(number: int, _: Any) -> NoReturn:
    stopped = Stopped(_SIGNALS[signal.Signals(number)])
    _STOPS.append(stopped)
    raise stopped


def _silence(stream: Any) -> None:
    """Keep the interpreter from reporting the closed pipe again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
