"""The console script, and `python -P -m verify`, for where the script is not on the path.

`-P`: without it Python takes modules from the working directory, and so from a checkout.
"""

import sys


def main() -> int:
    """Run the command line, or say why it cannot start.

    Returns:
        The exit code; 3 and not Python's own 1, which means "refuted", if a package is missing.
    """
    try:
        from verify import cli
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        if sys.stderr is not None:
            sys.stderr.write(f"verify: cannot start: {said}; install mps-verify again\n")
        return 3
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
