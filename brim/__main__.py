"""``python -m brim`` is the command line, where the script `brim` is not on the path."""

import sys

from brim.command_line import main

if __name__ == "__main__":
    sys.exit(main())
