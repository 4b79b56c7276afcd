"""``python -m cli`` is ``lethe``, also where the command is not installed."""

from cli.main import app

app(prog_name="lethe")
