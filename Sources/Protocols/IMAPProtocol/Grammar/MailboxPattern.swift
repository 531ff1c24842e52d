/// A pattern of LIST and LSUB with its reference: `*` matches anything, `%` anything within a level (RFC 9051 §6.3.9).
public struct MailboxPattern: Sendable, Equatable {
    /// UTF-8, reference and pattern put together.
    let octets: [UInt8]
    /// The first level is INBOX, which has no case (RFC 9051 §5.1).
    let isInboxFirst: Bool

    /// - Parameters: as in `ListCommand`: decoded, `/` between levels.
    public init(reference: String, pattern: String) {
        // A pattern that begins with the delimiter is absolute: the reference does not count.
        let text = pattern.utf8.first == 0x2F ? String(pattern.dropFirst()) : reference + pattern
        var octets = Array(text.utf8)
        let level = octets.prefix { $0 != 0x2F }
        isInboxFirst = level.count == 5 && ASCIICase.equal(String(decoding: level, as: UTF8.self), "INBOX")
        if isInboxFirst { octets.replaceSubrange(0..<5, with: Array("INBOX".utf8)) }
        self.octets = octets
    }

    /// Time is bounded by the product of both lengths.
    public func matches(_ name: String) -> Bool {
        if octets == [0x2A] { return true }
        var name = name
        return name.withUTF8 { matches($0) }
    }

    private func matches(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        // reached[i]: the pattern's first i octets match what has been read of the name.
        var reached = [Bool](repeating: false, count: octets.count + 1)
        reached[0] = true
        spread(&reached)
        for octet in name {
            var next = [Bool](repeating: false, count: octets.count + 1)
            var isAlive = false
            for index in octets.indices where reached[index] {
                switch octets[index] {
                case 0x2A: next[index] = true
                case 0x25: if octet != 0x2F { next[index] = true }
                default: if octets[index] == octet { next[index + 1] = true }
                }
                isAlive = isAlive || next[index] || next[index + 1]
            }
            guard isAlive else { return false }
            spread(&next)
            reached = next
        }
        return reached[octets.count]
    }

    /// Wildcards match nothing as well.
    private func spread(_ reached: inout [Bool]) {
        for index in octets.indices where reached[index] && (octets[index] == 0x2A || octets[index] == 0x25) {
            reached[index + 1] = true
        }
    }

    /// Levels above `name` that the pattern matches: what LIST shows as \NonExistent when they are no mailboxes.
    public func matchingParents(of name: String) -> [String] {
        var result: [String] = []
        for index in name.utf8.indices where name.utf8[index] == 0x2F {
            let parent = String(name[..<index])
            if !parent.isEmpty, matches(parent) { result.append(parent) }
        }
        return result
    }
}
