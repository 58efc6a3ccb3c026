"""A user who is in no list of users, as `docker run --user 12345` makes one."""

import os
import pwd


def settle() -> None:
    """Give a user without an entry a name and a home: torch, among others, asks for them and ends where there is none.

    What the environment says stays.
    """
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("USER", str(os.getuid()))
        os.environ.setdefault("HOME", "/")  # as containers have it
