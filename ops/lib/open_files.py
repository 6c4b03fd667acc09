"""How many files a process may open: of those that hold ten thousand connections, more than usual."""

import resource

from servers import ServerFailure


def allow_files(count):
    """Lets this process, and those that it starts from now on, open so many files; ServerFailure where it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise ServerFailure(f"{count} open files are needed and {hard} allowed: ulimit -Hn {count}")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
