"""The lines of many processes in one terminal, each with the name of its process before it."""

from rich.console import Console
from rich.text import Text

_COLOURS = {"web": "cyan", "worker": "green", "beat": "magenta", "sandbox": "yellow", "stack": "bold blue"}
_WIDTH = max(map(len, _COLOURS))


class Terminal:
    """Coloured where a person looks on and NO_COLOR is not set, plain in a file."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def say(self, name: str, line: str) -> None:
        prefix = Text(f"{name:{_WIDTH}} │ ", style=_COLOURS.get(name, "white"))
        self._console.print(prefix + Text.from_ansi(line), soft_wrap=True)
