"""`python -m kerac` is the command `kerac`."""

from kerac.command_line import main

main()
