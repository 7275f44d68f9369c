"""What a connection waits for."""

from enum import Enum, auto


class Phase(Enum):
    """The phase of a connection.

    Attributes:
        IDLE: the first byte of a request; at its deadline the connection is closed.
        HEAD: the rest of the head; at its deadline the response is 408.
        BODY: the rest of the body; at its deadline the response is 408.
        RESPONSE: the application; the request is complete. No deadline.
        REFUSED: the response to what can't be received or parsed. No deadline.
        CLOSING: the client's end of the connection; what it still sends is dropped. At its deadline it is closed.
    """

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    RESPONSE = auto()
    REFUSED = auto()
    CLOSING = auto()
