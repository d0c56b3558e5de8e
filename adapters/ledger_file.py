"""The ledger as one file of JSON lines, to be kept elsewhere and to begin anew from.

    {"line":"begin","format":1,"after":0,"hash":"0000..."}
    {"line":"fact","position":1,"stream":"5d0c...","version":1,"name":"WheelStarted","hash":"9a1e...",
     "state":{"recorded_at":"2026-01-05T15:00:00Z", ... ,"data":{...}}}
    {"line":"end","facts":1,"head":1,"hash":"9a1e..."}

Each line of a fact has its place, the stored bytes, and the hash that covers them and every
line before (`adapters.chain.link`), so that any program can check the file. The bytes are JSON:
they stand as they are. Should they ever not be what a JSON encoder writes, the line is of kind
"bytes" and has them as `base64`. Answers to commands and checkpoints are not part of it.

    python -m adapters.ledger_file export [FILE] [--after POSITION]
    python -m adapters.ledger_file import FILE
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO, Final, Literal
from uuid import UUID

import msgspec
from rich.console import Console
from rich.progress import Progress

from adapters import chain, drafts, event_store, settings
from domain import facts, refusals

LONGEST_LINE: Final = 8 * 1024 * 1024
_TELL_EVERY: Final = 1_000
_BUFFER: Final = 64 * 1024
Tell = Callable[[int], None]
Place = Annotated[int, msgspec.Meta(ge=1, le=2**62)]
Stream = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}\Z")]


class Line(msgspec.Struct, frozen=True, tag_field="line", forbid_unknown_fields=True):
    """One line of the file."""


class Begin(Line, frozen=True, tag="begin"):
    """Behind which position the file begins, and the chain's hash there."""

    format: Literal[1]
    after: int
    hash: str


class Fact(Line, frozen=True, kw_only=True, tag="fact"):
    """A fact whose stored bytes stand in the line as they are."""

    position: Place
    stream: Stream
    version: Place
    name: str
    hash: str
    state: msgspec.Raw


class Bytes(Line, frozen=True, kw_only=True, tag="bytes"):
    """A fact whose stored bytes are not what a JSON encoder writes."""

    position: Place
    stream: Stream
    version: Place
    name: str
    hash: str
    base64: bytes


class End(Line, frozen=True, tag="end"):
    """How many facts the file holds, and where the chain stands behind the last."""

    facts: int
    head: int
    hash: str


_decoder = msgspec.json.Decoder(Begin | Fact | Bytes | End)
_encode = msgspec.json.Encoder().encode


class Unfit(Exception):
    """A line with which the file cannot be a ledger."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(f"line {number}: {why}")


# --- from the log to the file -----------------------------------------------------------------


def written(log: event_store.EventStore, after: int = 0) -> Generator[bytes]:
    """The file's lines, up to the log's present head.

    Raises chain.Torn where the log is not what was recorded: then there is no last line;
    refusals.Invalid when there is no such place to begin behind.
    """
    until = log.head()
    if not 0 <= after <= until:
        raise refusals.Invalid("after", after, f"must be from 0 to the head, {until}")
    head, hash_, count = after, log.hash_at(after), 0
    yield _encode(Begin(1, after, hash_.hex())) + b"\n"
    with closing(log.rows(after, until)) as rows:
        for count, (row, hash_) in enumerate(rows, 1):  # noqa: B007
            head = row.position
            yield _encode(_line(row, hash_)) + b"\n"
    yield _encode(End(count, head, hash_.hex())) + b"\n"


def _line(row: chain.Row, hash_: bytes) -> Fact | Bytes:
    place = {
        "position": row.position,
        "stream": row.stream,
        "version": int(row.version),
        "name": row.name,
        "hash": hash_.hex(),
    }
    if _is_plain(row.state):
        return Fact(**place, state=msgspec.Raw(row.state))  # type: ignore[arg-type]
    return Bytes(**place, base64=row.state)  # type: ignore[arg-type]


def _is_plain(state: bytes) -> bool:
    try:
        return _encode(msgspec.json.decode(state)) == state
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


# --- from the file to the log -----------------------------------------------------------------


def read(file: BinaryIO) -> Iterator[tuple[chain.Row, bytes]]:
    """The rows of a whole export with their hashes, each checked; raises Unfit."""
    lines = _lines(file)
    hash_, head, count = _begun(lines), 0, 0
    versions: defaultdict[str, int] = defaultdict(int)
    for number, line in lines:
        if isinstance(line, End):
            _ended(number, line, End(count, head, hash_.hex()))
            for further, _ in lines:
                raise Unfit(further, "something follows the last line")
            return
        row, hash_ = _row(number, line, head, hash_)
        head, count = row.position, count + 1
        versions[row.stream] += 1
        if versions[row.stream] != int(row.version):
            raise Unfit(number, f"version {row.version} comes where {versions[row.stream]} belongs")
        yield row, hash_
    raise Unfit(count + 2, "the file was cut off: its last line is missing")


def _lines(file: BinaryIO) -> Iterator[tuple[int, Line]]:
    number = 0
    while text := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(text) > LONGEST_LINE:
            raise Unfit(number, f"is longer than {LONGEST_LINE} bytes")
        try:
            yield number, _decoder.decode(text)
        except msgspec.ValidationError as error:
            raise Unfit(number, f"is no line of a ledger: {error}") from error
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            cut = "" if text.endswith(b"\n") else "the file was cut off here: "
            raise Unfit(number, f"{cut}is not JSON: {error}") from error


def _begun(lines: Iterator[tuple[int, Line]]) -> bytes:
    """The hash before the first fact."""
    _, line = next(lines, (1, None))
    if not isinstance(line, Begin):
        raise Unfit(1, "the file does not begin as a ledger does")
    if (line.after, line.hash) != (0, chain.GENESIS.hex()):
        raise Unfit(1, f"the file holds what came after position {line.after} only")
    return chain.GENESIS


def _row(number: int, line: Line, head: int, previous: bytes) -> tuple[chain.Row, bytes]:
    if not isinstance(line, Fact | Bytes):
        raise Unfit(number, "the file begins a second time")
    if line.position <= head:
        raise Unfit(number, f"position {line.position} comes behind {head}")
    state = line.base64 if isinstance(line, Bytes) else bytes(line.state)
    row = chain.Row(line.position, line.stream, str(line.version), line.name, state)
    hash_ = chain.link(previous, row)
    if hash_.hex() != line.hash:
        raise Unfit(
            number,
            f"position {line.position} is not what was exported:"
            " it was changed, or a line before it is missing",
        )
    try:
        facts.decode(line.position, UUID(line.stream), line.version, line.name, state)
    except (msgspec.MsgspecError, KeyError, ValueError, TypeError) as error:
        raise Unfit(number, f"{line.name} cannot be read by this version: {error}") from error
    return row, hash_


def _ended(number: int, line: End, found: End) -> None:
    if line != found:
        raise Unfit(
            number,
            f"the last line tells of {line.facts} facts up to {line.head} with hash {line.hash},"
            f" but there are {found.facts} up to {found.head} with hash {found.hash}",
        )


def begin_anew(file: Path, chosen: settings.Settings, tell: Tell = lambda _: None) -> End:
    """Make a new instance's log from a file, all of it or nothing.

    Raises refusals.Exists when there is something already, refusals.Unavailable when it cannot
    be written, Unfit, FileNotFoundError. `tell` hears how many bytes were read.
    """
    end = End(0, 0, chain.GENESIS.hex())

    def rows(source: BinaryIO) -> Iterator[tuple[chain.Row, bytes]]:
        nonlocal end
        for count, (row, hash_) in enumerate(read(source), 1):
            if count % _TELL_EVERY == 0:
                tell(source.tell())
            end = End(count, row.position, hash_.hex())
            yield row, hash_

    with file.open("rb") as source, new(chosen):
        event_store.fill(chosen, rows(source))
    return end


@contextmanager
def new(chosen: settings.Settings) -> Iterator[None]:
    """A directory with nothing in it, and nothing left of it when it comes to nothing.

    What is left of an import that was killed is nothing.
    """
    directory = chosen.data_dir
    was_there = directory.exists()
    there = set(directory.iterdir()) if was_there else set()
    left = drafts.left(chosen.event_store_path)
    for found in there.difference(left):
        raise refusals.Exists(
            f"{directory} is not empty, it holds {found.name}:"
            " a ledger begins anew in a data directory of its own"
        )
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in left:
        each.unlink()
    try:
        yield
    except BaseException:
        if not was_there:
            with suppress(OSError):  # somebody else has come in
                directory.rmdir()
        raise


# --- the command ------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Export or import; exit 1 with a line that says why, when it could not be done."""
    asked = _asked(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        chosen = settings.load(os.environ)
        if asked.what == "import":
            _import(asked.file, chosen, console)
        else:
            _export(asked.file, asked.after, chosen, console)
    except settings.Misconfigured as error:
        console.print(str(error), markup=False)
        return 2
    except chain.Torn as torn:
        where = torn.broken.position
        console.print(f"the ledger is not whole: position {where}: {torn}", markup=False)
        return 1
    except (Unfit, OSError, refusals.Refusal) as error:
        console.print(str(error), markup=False)
        return 1
    return 0


def _asked(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m adapters.ledger_file")
    what = parser.add_subparsers(dest="what", required=True)
    out = what.add_parser("export", help="write the ledger as JSON lines")
    out.add_argument("file", nargs="?", type=Path, help="the standard output when left out")
    out.add_argument("--after", type=int, default=0, help="only what is behind this position")
    into = what.add_parser("import", help="make a new data directory's ledger from a file")
    into.add_argument("file", type=Path)
    return parser.parse_args(arguments)


def _import(file: Path, chosen: settings.Settings, console: Console) -> None:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("importing", total=None)

        def tell(done: int) -> None:
            bar.update(task, completed=done, total=file.stat().st_size)

        end = begin_anew(file, chosen, tell)
    console.print(f"imported {end.facts} facts, head at {end.head}, sha256 {end.hash}")


def _export(file: Path | None, after: int, chosen: settings.Settings, console: Console) -> None:
    with closing(event_store.open_there(chosen)) as log:
        lines = _watched(written(log, after), log.head() - after, console)
        if file is None:
            write(lines, sys.stdout.buffer)
            return
        draft = file.with_name(f"{file.name}.draft")
        try:
            with draft.open("wb") as target:
                write(lines, target)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    console.print(f"exported to {file}", markup=False)


def _watched(lines: Iterator[bytes], total: int, console: Console) -> Iterator[bytes]:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("exporting", total=total)
        for count, line in enumerate(lines):
            if count % _TELL_EVERY == 0:
                bar.update(task, completed=count)
            yield line


def write(lines: Iterable[bytes], target: BinaryIO) -> None:
    """Write the lines, many at once."""
    waiting = bytearray()
    for line in lines:
        waiting += line
        if len(waiting) >= _BUFFER:
            target.write(waiting)
            waiting.clear()
    target.write(waiting)
    target.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
