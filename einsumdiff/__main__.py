"""`python -m einsumdiff` is the command line."""

import sys

from einsumdiff.cli import main

if __name__ == "__main__":
    sys.exit(main())
