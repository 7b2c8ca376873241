"""python -m medattn: the command line."""

from medattn.cli import main

main()
