"""Which files there are to read, and by whom."""

import gzip
import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from adapters.recordings import columns, rows
from adapters.recordings.tape import Tapes
from adapters.schwab import chains
from domain import market

_CHAIN: Final = frozenset({"symbol", "status", "callExpDateMap", "putExpDateMap"})

_log = logging.getLogger(__name__)


def read(path: Path) -> Tapes:
    """All that a file holds; of a directory, all that its files hold that are recordings.

    Raises Unreadable, naming the file, where there is nothing to read, or it makes no sense.
    """
    tapes = Tapes()
    if not path.is_dir():
        if not _take(path, tapes):
            raise market.Unreadable(path.name, f"not a recording: {_expected()}")
        return tapes
    for file in sorted(each for each in path.iterdir() if each.is_file()):
        if not _take(file, tapes):
            _log.info("%s is not a recording, and left alone", file.name)
    if not tapes:
        raise market.Unreadable(path.name, "there is no recording in this directory")
    return tapes


def _take(path: Path, tapes: Tapes) -> bool:
    """Read the file by its name's ending; whether it was a recording."""
    match _ending(path):
        case ".csv":
            return rows.read(path, tapes)
        case ".parquet":
            return columns.read(path, tapes)
        case ".json":
            return _chain(path, tapes)
        case _:
            return False


def _ending(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def _chain(path: Path, tapes: Tapes) -> bool:
    """A chain as Schwab or TD Ameritrade sent it."""
    try:
        body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise market.Unreadable(path.name, str(error)) from error
    try:
        if not _CHAIN.issubset(msgspec.json.decode(body, type=dict[str, msgspec.Raw])):
            return False
        tapes.add_chain(chains.decoded(body))
    except msgspec.ValidationError:
        return False
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise market.Unreadable(path.name, str(error)) from error
    except market.MarketFault as fault:
        raise market.Unreadable(path.name, fault.why) from fault
    return True


_FORMS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "csv": tuple(f"{name} ({', '.join(sorted(k.columns))})" for name, k in rows.KINDS.items()),
        "parquet": tuple(columns.KINDS),
        "json": ("a chain of Schwab's",),
    }
)


def _expected() -> str:
    """The kinds of file that there are, and what tells them."""
    return "; ".join(f".{ending} of {', or '.join(kinds)}" for ending, kinds in _FORMS.items())
