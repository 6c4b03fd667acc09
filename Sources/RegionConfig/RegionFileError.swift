/// What is wrong with a region file: one finding, at one place, with what was expected there.
///
/// Prints as `regions/us-east.yaml:12: redis.port: expected an integer from 1 to 65535, found "abc"`.
package struct RegionFileError: Error, Hashable, Sendable {
    /// The file as it was named to the loader.
    package let file: String
    /// Counted from 1; nil where no line is to blame (file unreadable, value from the environment).
    package let line: Int?
    /// The environment variable the value came from, if it did not come from the file.
    package let variable: String?
    /// Dotted path of the key, list elements by index (`peers[0].redis.port`); empty for the document.
    package let keyPath: String
    /// What was expected, and what was found.
    package let problem: String

    /// One finding at one place.
    package init(file: String, line: Int? = nil, variable: String? = nil, keyPath: String = "", problem: String) {
        self.file = file
        self.line = line
        self.variable = variable
        self.keyPath = keyPath
        self.problem = problem
    }
}

extension RegionFileError: CustomStringConvertible {
    package var description: String {
        var text = file
        if let line { text += ":\(line)" }
        if let variable { text += ": environment variable \(variable)" }
        if !keyPath.isEmpty { text += ": \(keyPath)" }
        return text + ": " + problem
    }
}
