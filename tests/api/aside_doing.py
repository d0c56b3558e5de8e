"""What children do in the tests: `python -m tests.api.aside_doing WHAT`."""

import os
import sys
import time

from adapters import settings


def main(what: str) -> int:
    match what:
        case "tells":
            sys.stdout.write(str(settings.load(os.environ).views_path))
        case "pours":
            while True:
                sys.stdout.buffer.write(bytes(65_536))
        case "fails":
            sys.stderr.write("it began well\nno space left\n")
            return 4
        case "is killed":
            os.kill(os.getpid(), 9)
        case _:  # waits
            sys.stdout.write(f"{os.getpid()}\n")
            sys.stdout.flush()
            time.sleep(600)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
