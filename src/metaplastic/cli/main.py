"""Entry point of `metaplastic`."""
import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    del argv
    print("usage: metaplastic COMMAND", file=sys.stderr)
    return 2
