"""What a person should know of each key: what it means, and how it is changed.

What it accepts stands in its type, in adapters.kinds.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

INSTANCE: Final = ("instance",)
WORKERS: Final = (
    "projector",
    "relay",
    "prices",
    "risk",
    "scanner",
    "scheduler",
    "notifier",
    "plugins",
)


class Key(msgspec.Struct, frozen=True):
    """A key in words.

    A `changeable` one may be changed while the service runs, through the API; `restart` names
    the processes that go on with the old value until they are started again.
    """

    means: str
    changeable: bool = False
    restart: tuple[str, ...] = INSTANCE


KEYS: Final[Mapping[str, Key]] = {
    "api_host": Key("The address or name on which the API listens."),
    "api_port": Key("The port on which the API listens."),
    "api_token": Key("The bearer token that every request must carry; none: none is asked for."),
    "public_url": Key(
        "Where the API is reached from outside, for the links in notifications; none: from here."
    ),
    "cors_origins": Key("Origins whose pages may use the API from a browser."),
    "rate_limit": Key(
        "Requests that one address may make in a minute; 0: as many as it likes.",
        changeable=True,
        restart=(),
    ),
    "data_dir": Key("The directory below which everything is written."),
    "plugins_dir": Key("Where plugins are; none: `plugins` below the data directory."),
    "event_store": Key("Where the ledger is: sqlite, or a PostgreSQL database."),
    "nats_url": Key("A bus that runs already; none: the instance starts one of its own."),
    "nats_port": Key("The port of the bus that the instance starts."),
    "market": Key("Where prices come from."),
    "replay_file": Key("A recording, or a directory of them, for the market `replay`."),
    "market_seed": Key(
        "The simulated market: the same seed, the same prices.",
        changeable=True,
        restart=("prices",),
    ),
    "market_script": Key("A JSON file that forces prices and faults upon the simulated market."),
    "price_interval": Key(
        "Seconds of market time between two refreshes of a price.",
        changeable=True,
        restart=("prices", "risk"),
    ),
    "clock": Key("The system's time, or the market instant at which a first start begins."),
    "clock_speed": Key("Seconds of market time in a real second; 0 stands still."),
    "schwab_app_key": Key("The key of your app at Schwab, for the market `schwab`."),
    "schwab_app_secret": Key("The secret of that app."),
    "schwab_callback": Key("The callback URL of that app, as it is registered at Schwab."),
    "schwab_url": Key("Where Schwab's API is."),
    "finnhub_key": Key("The key at Finnhub, who knows earnings dates; none: they are not known."),
    "finnhub_url": Key("Where Finnhub's API is."),
    "risk_free_rate": Key(
        "The rate without risk, continuous, by which options are priced.",
        changeable=True,
        restart=("risk", "scanner", "plugins"),
    ),
    "max_dte": Key(
        "Days to expiration up to which options are recommended, where a question does not say.",
        changeable=True,
        restart=("scanner",),
    ),
    "profit_target": Key(
        "Percent of a premium that must be earned before an alert says so.",
        changeable=True,
        restart=("risk",),
    ),
    "fee_per_contract": Key(
        "Fees for one option contract, in dollars, where a trade does not say.",
        changeable=True,
        restart=("scanner",),
    ),
    "log_format": Key("Logs as text for a person, or as JSON lines for a machine."),
    "log_level": Key("From which level on something is logged.", changeable=True, restart=WORKERS),
    "log_files": Key("Whether each process also logs into a file below the data directory."),
    "log_file_size": Key("Megabytes after which a log file is put aside and a new one begun."),
    "log_files_kept": Key("How many log files of a process that were put aside are kept."),
}
"""Every key, in the order of the file. Where things are, who may reach them, and what every
process must agree on at its start is not changed through the API."""
