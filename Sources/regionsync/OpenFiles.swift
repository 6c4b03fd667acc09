internal import Glibc

/// How many files the process may have open, of which each client takes one.
enum OpenFiles {
    /// Raises the limit to the most that the system lets this process have, which is often far more than it begins with.
    ///
    /// - Returns: The limit from then on; nil where it is not known.
    static func raiseLimit() -> UInt64? {
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(files, &limit) == 0 else { return nil }
        guard limit.rlim_cur < limit.rlim_max else { return UInt64(limit.rlim_cur) }
        var raised = limit
        raised.rlim_cur = limit.rlim_max
        return setrlimit(files, &raised) == 0 ? UInt64(raised.rlim_cur) : UInt64(limit.rlim_cur)
    }
}
