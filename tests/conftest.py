"""What pytest tells at its end."""


def pytest_terminal_summary(terminalreporter):
    """A table of the exercises, and of what their checks were tried on."""
    rows = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in getattr(report, "user_properties", [])
        if name == "exercise"
    ]
    if rows:
        terminalreporter.section("exercises")
        head = "lesson", "exercise", "solution", "blank", "wrong answers"
        for row in [head, *rows]:
            line = "{:8}{:16}{:10}{:7}{}".format(*row)
            terminalreporter.write_line(line)
