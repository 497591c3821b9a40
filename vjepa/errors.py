"""The one exception that means: the input is wrong, and here is how to mend it."""


class UserError(Exception):
    """Bad input. Its message names the thing, what was seen, what was expected and the fix.

    The command line prints the message alone and exits with code 2.
    """
