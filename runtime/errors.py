"""What keeps a peergate process from starting.

ServiceError
└── ConfigurationError   flags, variables, the configuration file or the place they name are refused: exit 78
    └── ListenError      the address that a listener was told to use cannot be had

A bad *policy* is never an error here: it is a list of `Problem`s, and the process runs on (law 4).
"""


class ServiceError(Exception):
    """A process of peergate cannot do what it was started for. The message is one line for people."""


class ConfigurationError(ServiceError):
    """What the operator asked for is refused; the message says which setting and what to write instead."""


class ListenError(ConfigurationError):
    """An address cannot be listened on."""
