"""What runs, checks and writes the lessons: `python -m tools.NAME`."""
