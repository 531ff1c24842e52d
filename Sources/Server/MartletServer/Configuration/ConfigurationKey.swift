/// One key of the configuration: everything that is known about it, as data. The table of all keys is
/// `ConfigurationKey.all`; the parser, the messages about mistakes and `martlet config reference` are made from it.
package struct ConfigurationKey: Sendable {
    /// What a value looks like, and its bounds.
    package enum Kind: Sendable {
        case boolean
        case integer(ClosedRange<Int64>)
        /// `50MB`, `64KiB`, `1048576`; `none` when `allowsNone`.
        case byteCount(ClosedRange<Int64>, allowsNone: Bool = false)
        /// `500ms`, `30s`, `5m`, `1h30m`, `14d`; `none` when `allowsNone`.
        case duration(ClosedRange<Duration>, allowsNone: Bool = false)
        /// A domain name; empty where the documentation says what that means.
        case hostName
        /// A user of the machine; empty where the documentation says what that means.
        case userName
        /// A path; empty where the documentation says what that means.
        case path
        /// A list of `address:port`, `[v6 address]:port` and socket paths; `none` for an empty one.
        case listenAddresses
        case choice([String])
        /// A list of resolvers: `192.0.2.53`, `192.0.2.53@5353`; or one of the words.
        case nameServers(words: [String])
        /// A list of `domain=host:port`; `none` for an empty one. `*` stands for every domain.
        case routes
        /// A list of paths.
        case paths
        /// An https URL; empty where the documentation says what that means.
        case secureURL
        /// A list of domain names; `none` for an empty one.
        case hostNames
        /// A list of addresses; `none` for an empty one.
        case mailAddresses
        /// A list of `certificate:key`, two paths each.
        case certificatePairs
        /// One printable ASCII character that may stand in an address, or `none`.
        case separator
    }

    /// When a changed value takes effect.
    package enum Reload: String, Sendable {
        case restart = "at the next start"
        case signal = "on SIGHUP, without a restart"
    }

    /// Dotted: `smtp.max-message-size`.
    package let name: String
    package let kind: Kind
    /// As it would be written in the file.
    package let defaultText: String
    /// One paragraph for `martlet config reference`.
    package let documentation: String
    package let reload: Reload

    package init(
        _ name: String, _ kind: Kind, _ defaultText: String, reload: Reload = .restart, _ documentation: String
    ) {
        self.name = name
        self.kind = kind
        self.defaultText = defaultText
        self.documentation = documentation
        self.reload = reload
    }

    /// The part before the last dot.
    package var section: String { name.split(separator: ".").first.map(String.init) ?? name }

    /// `MARTLET_SMTP_MAX_MESSAGE_SIZE` for `smtp.max-message-size`.
    package var environmentVariable: String {
        "MARTLET_" + String(name.uppercased().map { $0 == "." || $0 == "-" ? "_" : $0 })
    }

    /// The key with this name. O(1).
    package static func named(_ name: String) -> ConfigurationKey? { byName[name] }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// The known key whose name is nearest to `name`, by edit distance; the table has no fewer than one key.
    package static func nearest(to name: String) -> ConfigurationKey {
        var best = all[0]
        var bestDistance = Int.max
        for key in all {
            let distance = editDistance(name, key.name)
            if distance < bestDistance { (best, bestDistance) = (key, distance) }
        }
        return best
    }
}

/// Insertions, deletions, substitutions and swaps of neighbours between two texts (optimal string alignment).
/// O(n·m) time; texts longer than 200 characters are cut there.
func editDistance(_ left: String, _ right: String) -> Int {
    let a = Array(left.utf8.prefix(200))
    let b = Array(right.utf8.prefix(200))
    var beforePrevious = [Int](repeating: 0, count: b.count + 1)
    var previous = Array(0...b.count)
    for i in 0..<a.count {
        var current = [i + 1]
        for j in 0..<b.count {
            var cost = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforePrevious[j - 1] + 1) }
            current.append(cost)
        }
        (beforePrevious, previous) = (previous, current)
    }
    return previous[b.count]
}
