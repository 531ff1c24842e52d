internal import IMAPProtocol

/// The wire form of sets of flags, made once for each set that occurs: `(\Seen $Forwarded)`.
struct FlagNames {
    private let keywords: [String]
    private var others: [UInt64: [UInt8]] = [:]
    /// Octets of `others`.
    private var size = 0
    /// Octets of lists that are kept: then they are made anew. Lists of many long keywords are as many as messages.
    private static let maximumSize = 1 << 20
    /// The 32 sets of system flags.
    private static let system: [[UInt8]] = (0..<32).map { list($0, keywords: []) }

    /// - Parameter keywords: the mailbox's, see `Flags`.
    init(keywords: [String]) { self.keywords = keywords }

    mutating func list(_ mask: UInt64) -> [UInt8] {
        if mask < 32 { return FlagNames.system[Int(mask)] }
        if let known = others[mask] { return known }
        let made = FlagNames.list(mask, keywords: keywords)
        if size > FlagNames.maximumSize {
            others = [:]
            size = 0
        }
        others[mask] = made
        size += made.count
        return made
    }

    private static func list(_ mask: UInt64, keywords: [String]) -> [UInt8] {
        var writer = ResponseWriter()
        writer.fetchFlags(mask, keywords: keywords)
        // `FLAGS (…)`, of which only the list is wanted.
        return Array(writer.bytes.drop { $0 != 0x28 })
    }
}
