"""What goes wrong, by what is to be done about it."""


class Refusal(Exception):
    """Something is not as it must be: a job is refused or withdrawn from, a file is not read.

    The message is for this owner's own people. `public` is what others may be told of it: names of fields, never a value or a line.
    """

    def __init__(self, message: str, public: str = None) -> None:
        super().__init__(message)
        self.public = message if public is None else public


class Passing(Exception):
    """The line, the moment or the other side's clock and roster: tried again later."""


class Over(Exception):
    """A round or its job is over, or its facilitator has forgotten it."""


# What reading a message raises that is not as it must be, beside Refusal.
MALFORMED = (KeyError, TypeError, AttributeError, ValueError, RecursionError)
