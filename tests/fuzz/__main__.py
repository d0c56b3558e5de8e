"""`make fuzz`: requests that nobody would send, thousands of them, at the real API.

Schemathesis makes them from the API's own document: the documented examples, the edges of every
parameter and field, random ones, and chains of them along the links. Whatever comes back must be
documented: its status, its content type, its headers, its form; and nothing may fail inside.

The story of the examples is played before, and most requests are about what is in it: an order on
what nobody knows is refused before it can do harm.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from api import examples
from tests.api import house as houses
from tests.api.test_examples import played, stage

RULES = Path(__file__).with_name("schemathesis.toml")
SEED = 20260302
LONGEST = 1200.0
FEWEST = 5_000
KNOWN = 0.8
"""How many of the ids in paths are those of the story."""


def fuzz(
    house: houses.House, *arguments: str, longest: float = LONGEST
) -> subprocess.CompletedProcess[str]:
    """Fuzz a running API, for `longest` seconds at most, and read what is said of it."""
    steps = [told.step for told in played(house)]
    rules = house.settings.data_dir / "schemathesis.toml"
    rules.write_text(RULES.read_text("utf-8") + known(steps), "utf-8")
    program = Path(sys.executable).with_name("schemathesis")
    document = f"{house.url}/schema/openapi.json"
    return subprocess.run(
        [program, "--config-file", rules, "run", document, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=longest,
        cwd=house.settings.data_dir,
    )


def known(steps: list[examples.Step]) -> str:
    """The ids of the story, in the form of the rules."""
    ids: dict[str, set[str]] = {}
    for step in steps:
        for name, value in step.path.items():
            if name != "version":
                ids.setdefault(name, set()).add(value)
    values = [f"\n[dictionaries.{each}]\nvalues = {json.dumps(sorted(ids[each]))}" for each in ids]
    bound = [f'"path.{each}" = {{ dictionary = "{each}", probability = {KNOWN} }}' for each in ids]
    return "\n".join([*values, "\n[parameters]", *bound, ""])


def cases(said: str) -> int:
    """How many requests were made up, by the program's own count."""
    found = re.search(r"(\d+) generated", said)
    return int(found[1]) if found else 0


def main() -> int:
    """Fuzz an API that lives as long as this; 0 when all is as documented."""
    parser = argparse.ArgumentParser(prog="make fuzz", description="Fuzz the API.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--examples", type=int, default=50, help="random ones per operation")
    parser.add_argument("--seconds", type=float, default=LONGEST, help="at most so long")
    asked = parser.parse_args()
    print(f"Fuzzing with seed {asked.seed}; it takes some minutes.", flush=True)
    with tempfile.TemporaryDirectory() as directory, stage(Path(directory)) as house:
        chosen = (f"--seed={asked.seed}", f"--max-examples={asked.examples}")
        done = fuzz(house, *chosen, longest=asked.seconds)
        recorded = house.client().head()
    print(done.stdout, done.stderr)
    print(f"{recorded} facts were recorded.")
    return done.returncode or int(cases(done.stdout) < FEWEST)


if __name__ == "__main__":
    sys.exit(main())
