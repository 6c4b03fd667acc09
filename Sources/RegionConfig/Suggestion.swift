/// "did you mean": the candidate that a mistyped word most likely stood for.
enum Suggestion {
    /// ` (did you mean "port"?)`, or an empty text where nothing is near.
    static func hint(for word: String, among candidates: [String]) -> String {
        guard word.utf8.count <= 64 else { return "" }
        let near =
            candidates
            .map { (candidate: $0, distance: distance(word.lowercased(), $0.lowercased())) }
            .filter { $0.distance <= max(1, min(word.count, $0.candidate.count) / 3) }
            .min { $0.distance < $1.distance }
        guard let near else { return "" }
        return " (did you mean \"\(near.candidate)\"?)"
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other.
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in left.indices {
            var current = [row + 1]
            for column in right.indices {
                var best = min(last[column + 1], current[column]) + 1
                best = min(best, last[column] + (left[row] == right[column] ? 0 : 1))
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    best = min(best, beforeLast[column - 1] + 1)
                }
                current.append(best)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
