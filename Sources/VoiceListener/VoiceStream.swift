package import Journal

/// A stream as clients of the voice port name it: `voice:<tenant>@<region>`, or `voice:<tenant>` for the region asked.
package struct VoiceStream: Hashable, Sendable {
    /// A tenant's dbid or name.
    package let tenant: String
    /// Where the events were born; nil: here.
    package let region: String?

    /// Nil for what names no stream.
    package init?(_ text: some StringProtocol) {
        guard text.hasPrefix("voice:") else { return nil }
        let rest = text.dropFirst(6)
        // A tenant's name may have an @ in it, a region's has none.
        if let at = rest.lastIndex(of: "@") {
            tenant = String(rest[..<at])
            region = String(rest[rest.index(after: at)...])
        } else {
            tenant = String(rest)
            region = nil
        }
        guard !tenant.isEmpty, region?.isEmpty != true else { return nil }
    }

    /// The journal behind it, where `region` is the region asked.
    package func journal(tenant dbid: Int64, here: String) -> JournalName {
        .voice(tenant: "\(dbid)", origin: region ?? here)
    }
}
