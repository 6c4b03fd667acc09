internal import ArgumentParser

/// `regionsync-load visible`: placeholder until capture lands.
struct VisibleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "visible", abstract: "Placeholder.", shouldDisplay: false)
}
