"""What the keys of the settings accept: types, with words for whoever wrote something else."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

Port = Annotated[int, Meta(ge=1, le=65535, description="a port, 1 to 65535")]
Text = Annotated[str, Meta(min_length=1, description="a text that is not empty")]
File = Annotated[Path, Meta(description="a path")]
BusUrl = Annotated[
    str,
    Meta(pattern=r"^(nats|tls|wss?)://[^/\s]+$", description="a URL such as nats://host:4222"),
]
Store = Annotated[
    str,
    Meta(pattern=r"^(sqlite|postgres(ql)?://.+)$", description="sqlite or a postgresql:// URL"),
]
Market = Annotated[
    Literal["simulated", "replay", "schwab"], Meta(description="simulated, replay or schwab")
]
Start = Annotated[
    str,
    Meta(description="system, or an instant with its zone such as 2021-01-04T09:30:00-05:00"),
]
Speed = Annotated[
    float,
    Meta(
        ge=0, le=1e7, description="market seconds per real second, 0 (standing still) to 10000000"
    ),
]
Seconds = Annotated[float, Meta(gt=0, le=86400, description="seconds, above 0 and at most 86400")]
Dollars = Annotated[
    Decimal,
    Meta(description="an amount in dollars, 0 to 1000, with at most 6 digits after the point"),
]
Web = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s]+[^\s/]\Z",
        description="a URL such as https://api.example, without a slash at its end",
    ),
]
Rate = Annotated[float, Meta(ge=-0.1, le=1, description="a part a year, -0.1 to 1: 0.04 is 4 %")]
Days = Annotated[int, Meta(ge=1, le=90, description="calendar days, 1 to 90")]
Percent = Annotated[float, Meta(gt=0, lt=100, description="percent, above 0 and below 100")]
Seed = Annotated[int, Meta(ge=0, description="a whole number, 0 or more")]
Origins = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+\Z")], ...],
    Meta(description="origins such as https://desk.example, separated by commas"),
]
Limit = Annotated[
    int, Meta(ge=0, le=1_000_000, description="requests a minute, 0 (no limit) to 1000000")
]
Switch = Annotated[bool, Meta(description="true or false")]
Megabytes = Annotated[int, Meta(ge=1, le=1000, description="megabytes, 1 to 1000")]
Files = Annotated[int, Meta(ge=1, le=100, description="a number of files, 1 to 100")]
LogFormat = Annotated[Literal["text", "json"], Meta(description="text or json")]
LogLevel = Annotated[
    Literal["debug", "info", "warning", "error"],
    Meta(description="debug, info, warning or error"),
]
