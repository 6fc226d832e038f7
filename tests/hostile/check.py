"""Hold every hostile file against its manifest: what the commands say, cost, leave behind and let out."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.hostile.case import EXTRA, MARKER, REFUSED, VERBS
from tests.hostile.reasons import REASONS
from tests.hostile.worker import Worker, remove, throw_away

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS = 60
LARGE = 240  # seconds, for files that hold up to 100,000 objects in earnest
LONGEST = 200_000  # characters of an error: names are not cut, and HDF5's have up to 65,535 bytes
PEAK = 1 << 30  # bytes of memory that the commands' own process may take
_SECRETS = (MARKER, b"root:x:0:0:")
_CHOICE = ("--where", "kind:parameter", "--where", "kind:unknown")


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one file."""

    file: str
    outcomes: dict[str, str]
    """For each verb, the exit code or the class of the error."""
    deviations: tuple[str, ...]
    seconds: float
    """Of the longest command."""
    total: float
    peak: int


def check_all(folder: Path, *, workers: int = 2, shared: bool = False, only: str = "") -> list[Finding]:
    """Run the commands on every file of the manifest; ``shared`` lets those of one file share a reading process."""
    manifest = json.loads((folder / "manifest.json").read_text())
    files = [file for file in manifest if only in file]
    before = _listing(folder)
    with tempfile.TemporaryDirectory(prefix="hostile-") as name:
        Path(name).chmod(0o755)
        lanes = [_Lane(folder, Path(name), shared=shared) for _ in range(workers)]
        with ThreadPoolExecutor(workers) as pool:
            parts = pool.map(lambda lane: lane.run(manifest, files), lanes)
            found = [finding for part in parts for finding in part]
    if _listing(folder) != before:
        found.append(Finding("(the folder)", {}, ("something in the corpus' folder changed",), 0, 0, 0))
    return sorted(found, key=lambda finding: finding.file)


def report(found: list[Finding]) -> bool:
    """Print counts and every deviation; whether there was none."""
    for verb in VERBS:
        counts = Counter(finding.outcomes.get(verb, "-") for finding in found)
        print(f"{verb:6}", ", ".join(f"{count} {name}" for name, count in counts.most_common()))
    slow, fat = max(found, key=lambda it: it.seconds), max(found, key=lambda it: it.peak)
    print(f"all together {sum(finding.total for finding in found):.0f} s", end=", ")
    print(f"slowest {slow.seconds:.1f} s ({slow.file}), largest {fat.peak >> 20} MiB ({fat.file})")
    deviating = [finding for finding in found if finding.deviations]
    for finding in deviating:
        for deviation in finding.deviations:
            print(f"DEVIATION {finding.file}: {deviation}")
    print(f"{len(found)} files, {len(deviating)} of them deviate")
    return not deviating


class _Lane:
    """One worker and its folder; several share the list of files."""

    def __init__(self, folder: Path, place: Path, *, shared: bool) -> None:
        self.folder, self.place, self.shared = folder, place, shared
        self.victims = _victims(folder)

    def run(self, manifest: dict[str, Any], files: list[str]) -> list[Finding]:
        worker, found = Worker(), []
        while files:
            try:
                file = files.pop(0)
            except IndexError:
                break
            found.append(self.check(worker, file, manifest[file]))
        worker.close()
        return found

    def check(self, worker: Worker, file: str, expected: dict[str, Any]) -> Finding:
        here = Path(tempfile.mkdtemp(dir=self.place))
        here.chmod(0o755)
        outputs, temporary = here / "outputs", here / "temporary"
        throw_away(outputs)
        throw_away(temporary)
        answers = self._ask(worker, file, outputs, temporary, expected)
        deviations = list(_deviations(file, expected, answers))
        deviations += _leaks(answers, outputs)
        good = {verb for verb in VERBS if answers.get(verb, {}).get("exit") == 0}
        left = sorted({path.name for path in outputs.rglob("*")} - good) + sorted(
            path.name for path in temporary.iterdir()
        )
        deviations += [f"left behind: {name}" for name in left]
        if _victims(self.folder) != self.victims:
            deviations.append("a victim was changed")
        remove([here])
        ran = [answer for answer in answers.values() if "exit" in answer]
        return Finding(
            file,
            {verb: _outcome(answers[verb]) for verb in expected["exits"] if verb in answers},
            tuple(deviations),
            max((answer["seconds"] for answer in ran), default=0),
            sum(answer["seconds"] for answer in ran),
            max((answer["peak"] for answer in ran), default=0),
        )

    def _ask(
        self, worker: Worker, file: str, outputs: Path, temporary: Path, expected: dict[str, Any]
    ) -> dict[str, Any]:
        scale = ["scale", "--json", "--factor", "0.5", *_CHOICE, "-o"]
        commands = {
            "show": ["show", "--json", file],
            "scale": [*scale, str(outputs / "scale"), file],
            "scaled": ["show", "--json", str(outputs / "scale")],
            "strip": ["strip", "--json", "-o", str(outputs / "strip"), file],
            "stripped": ["show", "--json", str(outputs / "strip")],
            "stats": ["show", "--json", "--stats", file],
            "other_format": [*scale, str(outputs / f"other{_other_suffix(file)}"), file],
        }
        commands = {name: what for name, what in commands.items() if name not in EXTRA or name in expected["exits"]}
        seconds = _seconds(expected)
        base = {
            "task": "commands",
            "folder": str(self.folder),
            "temporary": str(temporary),
            "shared": self.shared,
            "seconds": seconds * (3 if self.shared else 1) + 10,
        }
        if self.shared:
            answer = worker.ask(base | {"commands": commands})
            return answer if "died" not in answer else {"show": answer}
        answers: dict[str, Any] = {}
        for name, arguments in commands.items():
            answer = worker.ask(base | {"commands": {name: arguments}})
            answers |= answer if "died" not in answer else {name: answer}
        return answers


def _other_suffix(file: str) -> str:
    return ".h5" if file.endswith(".keras") else ".keras"


def _seconds(expected: dict[str, Any]) -> int:
    """How long a command may take over a file."""
    opens = any(0 in codes for codes in expected["exits"].values())
    return LARGE if expected.get("large") and opens else SECONDS


def _deviations(file: str, expected: dict[str, Any], answers: dict[str, Any]) -> Iterator[str]:
    for name, answer in answers.items():
        if "died" in answer:
            yield f"{name}: {answer['died']}"
        elif name in expected["exits"]:
            yield from _of_verb(name, file, expected, answer)
        elif answer["exit"] != 0:
            yield f"{name}: the output of an edit cannot be read: {answer['stderr']}"
    yield from _of_structure(expected, answers)


def _of_verb(verb: str, file: str, expected: dict[str, Any], answer: dict[str, Any]) -> Iterator[str]:
    code, err = answer["exit"], answer["stderr"]
    if code not in expected["exits"][verb]:
        yield f"{verb}: exit {code} instead of {expected['exits'][verb]}: {(err or answer['stdout']).strip()[:300]}"
    if answer["seconds"] > _seconds(expected):
        yield f"{verb}: it took {answer['seconds']:.0f} s"
    if answer["peak"] > PEAK:
        yield f"{verb}: it took {answer['peak'] >> 20} MiB of memory"
    for stream in ("stdout", "stderr"):
        text = answer[stream].rstrip("\n")
        if not all(line.isprintable() for line in text.split("\n")):
            yield f"{verb}: {stream} holds characters that steer: {text[:200]!r}"
    if code != 0 and isinstance(code, int):
        yield from _of_error(verb, file, expected, answer)


def _of_error(verb: str, file: str, expected: dict[str, Any], answer: dict[str, Any]) -> Iterator[str]:
    err = answer["stderr"]
    about = f"/other{_other_suffix(file)}: " if verb == "other_format" else f"weightkit: {file}: "
    if err.count("\n") != 1 or not err.startswith("weightkit: ") or about not in err:
        yield f"{verb}: the error is not one line about the file: {err[:300]!r}"
    if len(err) > LONGEST:
        yield f"{verb}: the error has {len(err)} characters"
    try:
        record = json.loads(answer["stdout"])
    except ValueError:
        yield f"{verb}: no JSON: {answer['stdout'][:200]!r}"
        return
    if record.get("exit") != answer["exit"]:
        yield f"{verb}: JSON says exit {record.get('exit')}, and it is {answer['exit']}"
    error, reason = REASONS.get(file, (None, ""))
    errors = [error] if error else expected["errors"]
    if answer["exit"] == REFUSED and record.get("error") not in errors:
        yield f"{verb}: {record.get('error')} instead of {errors}: {err[:300]}"
    if answer["exit"] == REFUSED and not re.search(reason, err):
        yield f"{verb}: the error does not say {reason!r}: {err[:300]}"


def _of_structure(expected: dict[str, Any], answers: dict[str, Any]) -> Iterator[str]:
    whole = _weights(answers, "show")
    if whole is None:
        return
    if expected["weights"] not in {None, len(whole)}:
        yield f"show: {len(whole)} weights instead of {expected['weights']}"
    scaled, stripped = _weights(answers, "scaled"), _weights(answers, "stripped")
    if scaled is not None and scaled != whole:
        yield f"scale: {len(whole)} weights became {len(scaled)} others"
    if stripped is not None and stripped != [weight for weight in whole if weight[3] != "optimizer"]:
        yield f"strip: {len(whole)} weights became {len(stripped)} others"


def _weights(answers: dict[str, Any], name: str) -> list[tuple[Any, ...]] | None:
    answer = answers.get(name, {})
    if answer.get("exit") != 0:
        return None
    listed = json.loads(answer["stdout"])["weights"]
    return [(one["structure"], one["shape"], one["dtype"], one["kind"]) for one in listed]


def _outcome(answer: dict[str, Any]) -> str:
    if answer.get("exit") == 0:
        return "done"
    try:
        return str(json.loads(answer["stdout"])["error"])
    except (KeyError, ValueError):
        return str(answer.get("exit", "died"))


def _leaks(answers: dict[str, Any], outputs: Path) -> Iterator[str]:
    """Whether anything of a victim came out."""
    spoken = {
        f"{name}'s words": (it["stdout"] + it["stderr"]).encode("utf-8", "replace")
        for name, it in answers.items()
        if "exit" in it
    }
    written = {path.name: path.read_bytes() for path in outputs.iterdir() if path.is_file()}
    for name, content in (spoken | written).items():
        if any(secret in content for secret in _SECRETS):
            yield f"a victim was read into {name}"


def _victims(folder: Path) -> list[str]:
    return [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("victim.bin", "victim.h5")]


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    return sorted((path.name, path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.iterdir())
