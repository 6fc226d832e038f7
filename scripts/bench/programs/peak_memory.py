"""Run a command line; tell its peak memory and its reading process' in KiB."""

import re
import runpy
import sys

from weightkit.access.hdf5 import scanner


def peak(process):
    # VmHWM starts over with the program; getrusage counts what the parent had before.
    with open(f"/proc/{process}/status") as status:
        return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])


children, end = [], scanner._end


def noted(process, *channels):
    children.append(peak(process.pid))
    end(process, *channels)


scanner._end = noted
sys.argv = ["weightkit", *sys.argv[1:]]
if len(sys.argv) > 1:
    try:
        runpy.run_module("weightkit", run_name="__main__")
    except SystemExit as stop:
        assert stop.code in {None, 0, 1}, stop.code
print(peak("self"), max(children, default=0), file=sys.stderr)
