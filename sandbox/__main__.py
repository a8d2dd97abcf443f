"""`python -m sandbox`: the sandbox without Django."""

import argparse

from sandbox import server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=server.DESCRIPTION)
    server.add_arguments(parser)
    server.run(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
