internal import Yams

extension RegionFileError {
    /// What Yams says about a text that is no YAML.
    init(yaml error: any Error, file: String) {
        guard let error = error as? YamlError else {
            self.init(file: file, problem: "not YAML: \(error)")
            return
        }
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let context = context.map { " \($0.text) that begins in line \($0.mark.line)" } ?? ""
            self.init(file: file, line: mark.line, problem: "not YAML: \(problem)\(context)")
        case .reader(let problem, let offset, _, let yaml):
            let line = offset.map { yaml.utf8.prefix(max(0, $0)).count { $0 == UInt8(ascii: "\n") } + 1 }
            self.init(file: file, line: line, problem: "not YAML: \(problem)")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "\"\($0)\"" }.sorted().joined(separator: ", ")
            self.init(
                file: file, line: context.mark.line,
                problem: "the mapping that begins here has the same key twice: \(keys)")
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            self.init(file: file, problem: "not YAML: \(error)")
        }
    }
}
