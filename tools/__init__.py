"""Lists below `tests/golden` that a maintainer brings up to date: `python -m tools`."""
