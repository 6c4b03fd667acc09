internal import Glibc

/// What the kernel says of this process, under the names every Prometheus client uses.
package enum ProcessMetrics {
    /// Adds `process_*` to every scrape of `registry`.
    package static func install(in registry: MetricsRegistry) {
        let startTime = startTime()
        registry.onScrape { samples in
            samples.set(.processCPUSeconds, to: cpuSeconds())
            samples.set(.processStartTimeSeconds, to: startTime)
            samples.set(.processOpenFDs, to: openDescriptors())
            samples.set(.processMaxFDs, to: descriptorLimit())
            guard let stat = currentStat() else { return }
            samples.set(.processResidentMemoryBytes, to: Double(stat.residentPages * pageBytes))
            samples.set(.processVirtualMemoryBytes, to: Double(stat.virtualBytes))
            samples.set(.processThreads, to: Double(stat.threads))
        }
    }

    /// CPU time of all threads so far. The kernel's nanosecond clock: `/proc/self/stat` counts in hundredths.
    package static func cpuSeconds() -> Double? {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return nil }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Resident memory now.
    package static func residentBytes() -> Int? {
        currentStat().map { $0.residentPages * pageBytes }
    }

    /// When this process began, in clock ticks since its host booted: tells it from processes of other containers that have
    /// the same number. Nil where the kernel does not say.
    package static let startTicks: UInt64? = currentStat()?.startTicks

    private static var pageBytes: Int { sysconf(Int32(_SC_PAGESIZE)) }

    private static func currentStat() -> ProcessStat? {
        contents(of: "/proc/self/stat").flatMap(ProcessStat.init)
    }

    private static func startTime() -> Double? {
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        guard let stat = currentStat(), ticks > 0,
            let booted = contents(of: "/proc/stat")?.split(separator: "\n").first(where: { $0.hasPrefix("btime ") }),
            let seconds = Double(booted.dropFirst("btime ".count))
        else { return nil }
        return seconds + Double(stat.startTicks) / ticks
    }

    private static func openDescriptors() -> Double? {
        guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(directory) }
        var count = -3  // ".", ".." and the directory itself
        while unsafe readdir(directory) != nil { count += 1 }
        return Double(count)
    }

    private static func descriptorLimit() -> Double? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return limit.rlim_cur == .max ? .infinity : Double(limit.rlim_cur)
    }

    private static func contents(of path: String) -> String? {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while true {
            let chunk = unsafe [UInt8](unsafeUninitializedCapacity: 4_096) { buffer, count in
                count = unsafe max(0, read(descriptor, buffer.baseAddress, buffer.count))
            }
            if chunk.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk
        }
    }
}

/// The fields of `/proc/PID/stat` we use (proc(5)).
package struct ProcessStat: Hashable, Sendable {
    package let threads: Int
    /// Clock ticks between boot and the start of the process.
    package let startTicks: UInt64
    package let virtualBytes: UInt64
    package let residentPages: Int

    /// Nil when the text is not what proc(5) describes. The second field, a name in parentheses, may hold anything.
    package init?(_ text: String) {
        guard let nameEnd = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: nameEnd)...].split(whereSeparator: \.isWhitespace)
        // Field 3 of proc(5) stands at index 0 here.
        guard fields.count > 21, let threads = Int(fields[17]), let startTicks = UInt64(fields[19]),
            let virtualBytes = UInt64(fields[20]), let residentPages = Int(fields[21])
        else { return nil }
        self.threads = threads
        self.startTicks = startTicks
        self.virtualBytes = virtualBytes
        self.residentPages = residentPages
    }
}
