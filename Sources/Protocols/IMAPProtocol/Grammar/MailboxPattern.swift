internal import MartletBytes

/// A pattern of LIST and LSUB with its reference: `*` matches anything, `%` anything within a level (RFC 9051 §6.3.9). INBOX, as
/// the first level of a name, has no case (§5.1).
public struct MailboxPattern: Sendable, Equatable {
    /// UTF-8, reference and pattern put together; wildcards side by side as one.
    private let octets: [UInt8]
    /// Octets before the first wildcard.
    private let literalCount: Int
    /// The octets from the first wildcard on.
    private let places: PatternPlaces

    /// - Parameters: as in `ListCommand`: decoded, `/` between levels.
    public init(reference: String, pattern: String) {
        // A pattern that begins with the delimiter is absolute: the reference does not count.
        let text = pattern.utf8.first == 0x2F ? String(pattern.dropFirst()) : reference + pattern
        octets = MailboxPattern.joiningWildcards(text.utf8)
        literalCount = octets.firstIndex(where: PatternPlaces.isWildcard) ?? octets.count
        places = PatternPlaces(octets[literalCount...])
    }

    /// Time is bounded by the length of the name times the pattern's in words of 64 octets.
    public func matches(_ name: String) -> Bool {
        if octets == [0x2A] { return true }
        var name = name
        return name.withUTF8 { matches($0) }
    }

    private func matches(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let isBelowInbox =
            name.count >= 5 && name[..<5].elementsEqual("INBOX".utf8) && (name.count == 5 || name[5] == 0x2F)
        // What stands before the first wildcard settles it for most names.
        guard name.count >= literalCount else { return false }
        for (place, octet) in octets.prefix(literalCount).enumerated() {
            let isSame = octet == name[place] || isBelowInbox && place < 5 && ASCII.uppercased(octet) == name[place]
            guard isSame else { return false }
        }
        if literalCount == octets.count { return name.count == literalCount }
        var reached = places.start
        for place in literalCount..<name.count {
            guard places.advance(&reached, over: name[place], ignoringCase: isBelowInbox && place < 5) else {
                return false
            }
        }
        return places.isEnd(reached)
    }

    /// `*` with any wildcards beside it is `*`, and `%` beside `%` is `%`.
    private static func joiningWildcards(_ text: String.UTF8View) -> [UInt8] {
        var octets: [UInt8] = []
        octets.reserveCapacity(text.count)
        for octet in text {
            if PatternPlaces.isWildcard(octet), let last = octets.last, PatternPlaces.isWildcard(last) {
                if octet == 0x2A { octets[octets.count - 1] = octet }
            } else {
                octets.append(octet)
            }
        }
        return octets
    }
}
