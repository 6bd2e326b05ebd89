"""The command `kerac`."""


def main() -> None:
    """Run the command line of this process."""
    from kerac.command_line.application import application

    application(prog_name="kerac")
