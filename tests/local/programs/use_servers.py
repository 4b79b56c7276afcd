"""Uses the servers of a data folder until its standard input is closed: ``use_servers.py <root>``."""

import sys

from local.services import services

with services(sys.argv[1]) as (postgres, _):
    sys.stdout.write(postgres.url + "\n")
    sys.stdout.flush()
    sys.stdin.read()
