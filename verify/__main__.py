"""`python -m verify`, for where the console script is not on the path."""

import sys

from verify.cli import main

sys.exit(main())
