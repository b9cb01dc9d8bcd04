"""The errors that segpipe raises on purpose, as one tree.

SegpipeError
├── UserError            the input is wrong; the command line prints it as one line and exits with 2
│   ├── ConfigError      a key or value of the TOML file
│   └── DataError        a picture, a mask, a split or a schema
└── RunError             the run itself failed; one line, exit 1, the traceback is in the run's log
"""


class SegpipeError(Exception):
    """Base of every error that segpipe raises on purpose."""


class UserError(SegpipeError):
    """Something the user gave is wrong; the message says what was expected, what came and what to do."""


class ConfigError(UserError):
    """A key or a value of the configuration is wrong."""


class DataError(UserError):
    """A picture, a mask, a split or a schema is wrong."""


class RunError(SegpipeError):
    """A run could not finish for a reason that is not the user's input."""
