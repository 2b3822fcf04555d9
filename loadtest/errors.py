"""What stops a run before it can say anything: one error, with one line for its user."""


class LoadtestError(Exception):
    """The run can't start or can't go on; the message says what and where."""
