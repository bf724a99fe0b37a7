"""What keeps a peergate process from starting, and what is wrong with a question that it is asked.

ServiceError
├── ConfigurationError   flags, variables, the configuration file or the place they name are refused: exit 78
│   └── ListenError      the address that a listener was told to use cannot be had
└── DownloadError        a CRL or an OCSP answer could not be fetched; the last good one is kept

QuestionError
├── MalformedQuestionError   not a readable description of one HTTP request: it is denied as `request_malformed`
└── UntrustedHopError        whoever asks may not speak for others (law 7): denied likewise

A bad *policy* is never an error here: it is a list of `Problem`s, and the process runs on (law 4).
"""


class ServiceError(Exception):
    """A process of peergate cannot do what it was started for. The message is one line for people."""


class ConfigurationError(ServiceError):
    """What the operator asked for is refused; the message says which setting and what to write instead."""


class ListenError(ConfigurationError):
    """An address cannot be listened on."""


class QuestionError(ValueError):
    """A question that cannot be judged. The message goes to log and console, never to the caller."""


class MalformedQuestionError(QuestionError):
    """Not a readable description of one HTTP request."""


class UntrustedHopError(QuestionError):
    """Everything in the question is hearsay, as its sender is no trusted hop."""


class DownloadError(ServiceError):
    """A URL gave nothing that could be used; the message says why, without the URL."""
