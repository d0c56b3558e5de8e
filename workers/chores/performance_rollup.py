"""The books in the views reckoned anew from the facts: whoever asks for performance reads these.

Of the wheels that have changed since, every day's income under every policy, activity and capital;
of their portfolios, the sums that triggers keep. A difference must never be, and is a failure.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from uuid import UUID

from adapters import event_store
from domain import job_settings
from projections import books, daily, reckoning, rows, tables
from workers import chore, running
