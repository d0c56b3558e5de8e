"""`python -m supervisor`: the whole instance, until Ctrl-C.

This process is the keeper, which a person starts and stops. It keeps the supervisor, which starts
everything else.
"""

import sys

from supervisor.keeper import Keeper

if __name__ == "__main__":
    sys.exit(Keeper([sys.executable, "-m", "supervisor.instance"]).run())
