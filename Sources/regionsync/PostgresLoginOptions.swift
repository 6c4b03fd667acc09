internal import ArgumentParser
internal import Foundation
internal import RegionConfig

/// `--postgres-user` and its password, for commands that write to PostgreSQL as somebody else than the worker.
struct PostgresLoginOptions: ParsableArguments {
    @Option(
        name: .customLong("postgres-user"),
        help: ArgumentHelp("The role to use instead of the region file's.", valueName: "name"))
    var user: String?

    @Option(
        name: .customLong("postgres-password-file"),
        help: ArgumentHelp("A file whose first line is that role's password.", valueName: "file"),
        completion: .file())
    var passwordFile: String?

    @Option(
        name: .customLong("postgres-password-env"),
        help: ArgumentHelp("The environment variable with that role's password.", valueName: "variable"))
    var passwordVariable: String?

    func validate() throws {
        if user == nil, passwordFile != nil || passwordVariable != nil {
            throw ValidationError("A password needs --postgres-user beside it.")
        }
        if passwordFile != nil, passwordVariable != nil {
            throw ValidationError("Give --postgres-password-file or --postgres-password-env, not both.")
        }
    }

    /// The password, nil where none is given; one that cannot be read ends the command.
    func password() throws -> Secret? {
        if let passwordVariable {
            guard let value = ProcessInfo.processInfo.environment[passwordVariable], !value.isEmpty else {
                throw failure("--postgres-password-env: \(passwordVariable) is not set", .badFile)
            }
            return Secret(value)
        }
        guard let passwordFile else { return nil }
        guard let text = try? String(contentsOfFile: passwordFile, encoding: .utf8),
            let line = text.split(whereSeparator: \.isNewline).first
        else { throw failure("--postgres-password-file: \(passwordFile) cannot be read, or is empty", .badFile) }
        return Secret(String(line))
    }
}
