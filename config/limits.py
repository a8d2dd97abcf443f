"""What the operating system lets a process have."""

import resource

_ENOUGH = 65_536


def raise_open_files() -> int:
    """Take as many file descriptors as may be had without asking anybody: each socket is one. How many.

    The soft limit of 1,024 is there for programs that use select(2), which this one does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return soft
