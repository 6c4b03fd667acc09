internal import AdminHTTP
internal import ArgumentParser
internal import CrashPoints
internal import Logging
internal import Observability
internal import RegionConfig
internal import ServiceLifecycle
internal import UnixSignals
internal import Worker

/// `regionsync run`: the worker of one region, until SIGTERM or SIGINT.
struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs the worker of one region until SIGTERM or Ctrl-C.",
        discussion: """
            It may start before its servers do: it waits, and says for what in the log and on the admin port's /status.
            A second SIGTERM does not hurry it; SIGKILL at any moment loses nothing.
            """)

    @OptionGroup
    var region: RegionOption

    @Option(help: "How log lines look: logfmt or json.")
    var logFormat: LogOutput.Format = .logfmt

    @Option(help: "The least important lines to write: trace, debug, info, notice, warning, error or critical.")
    var logLevel: LogLevel = .info

    @Flag(help: ArgumentHelp("Leave journals unprojected: for measuring the rest alone.", visibility: .hidden))
    var withoutProjection = false

    func validate() throws {
        if let name = CrashPoint.misnamed {
            throw ValidationError(
                "\(CrashPoint.variable) is \(name); expected STEP or STEP:TIMES, STEP one of "
                    + CrashPoint.allCases.map(\.rawValue).joined(separator: ", "))
        }
    }

    func run() async throws {
        let region = try region.load()
        try requireAccounts(of: region)
        let output = LogOutput.standardError(format: logFormat, level: logLevel.level)
        output.installForLibraries()
        let worker = RegionWorker(region: region, projects: !withoutProjection) { component in
            output.logger(component).with([.region: "\(region.name)"])
        }
        let admin = AdminServer(
            host: region.admin.host, port: region.admin.port, answers: worker.adminAnswers,
            logger: output.logger("admin"))
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [admin, worker], gracefulShutdownSignals: [.sigterm, .sigint],
                logger: output.logger("service")))
        output.logger("regionsync").info("Worker starts", [.region: "\(region.name)"])
        let files = OpenFiles.raiseLimit()
        let ports = [region.listeners.config, region.listeners.voice].compactMap(\.self).count
        // A few hundred are the worker's own.
        if let files, files < UInt64(ports * region.listeners.limits.clients + 500) {
            output.logger("regionsync").warning(
                "The process may have fewer files open than listeners.limits.clients asks for",
                [.count: "\(files)"])
        }
        if CrashPoint.isArmed {
            output.logger("regionsync").warning("The worker will kill itself at a step, for a test")
        }
        do {
            try await group.run()
        } catch let error as AdminServerError {
            throw failure("\(error)", .unavailable)
        }
        output.logger("regionsync").info("Worker stopped", [.region: "\(region.name)"])
    }
}

extension LogOutput.Format: ExpressibleByArgument {}

/// A log level as the command line names it.
enum LogLevel: String, CaseIterable, ExpressibleByArgument {
    case trace, debug, info, notice, warning, error, critical

    var level: Logger.Level { Logger.Level(rawValue: rawValue) ?? .info }
}
