"""`python -m gradeonce`."""

from gradeonce.cli.main import main

main()
