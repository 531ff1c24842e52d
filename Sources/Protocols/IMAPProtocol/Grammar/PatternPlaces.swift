internal import MartletBytes

/// The places of a pattern that begins with a wildcard, as sets of bits: which octet stands where. All that a name can have
/// reached in the pattern moves on at once, 64 places with each step.
struct PatternPlaces: Sendable, Equatable {
    private let count: Int
    /// Words of a set: a bit for each place, and one for the end.
    private let words: Int
    private var stars: [UInt64]
    private var wildcards: [UInt64]
    /// Where an octet's set begins in `literals`, in sets; the first one is empty.
    private var slots = [UInt8](repeating: 0, count: 256)
    private var literals: [UInt64]

    /// - Parameter octets: none of the wildcards side by side.
    init(_ octets: ArraySlice<UInt8>) {
        count = octets.count
        words = octets.count / 64 + 1
        stars = [UInt64](repeating: 0, count: words)
        wildcards = stars
        literals = stars
        // At most 254: all octets but the wildcards.
        var slotCount: UInt8 = 1
        for (place, octet) in octets.enumerated() {
            let bit: UInt64 = 1 << UInt64(place % 64)
            if PatternPlaces.isWildcard(octet) {
                wildcards[place / 64] |= bit
                if octet == 0x2A { stars[place / 64] |= bit }
                continue
            }
            if slots[Int(octet)] == 0 {
                slots[Int(octet)] = slotCount
                slotCount += 1
                literals += [UInt64](repeating: 0, count: words)
            }
            literals[Int(slots[Int(octet)]) * words + place / 64] |= bit
        }
    }

    static func isWildcard(_ octet: UInt8) -> Bool { octet == 0x2A || octet == 0x25 }

    /// What is reached before anything of the name was read: the first wildcard, and what is behind it.
    var start: [UInt64] {
        var reached = [UInt64](repeating: 0, count: words)
        reached[0] = 0b11
        return reached
    }

    func isEnd(_ reached: [UInt64]) -> Bool { reached[count / 64] >> UInt64(count % 64) & 1 == 1 }

    /// Moves on by one octet of the name. False when nothing can match any more.
    func advance(_ reached: inout [UInt64], over octet: UInt8, ignoringCase: Bool) -> Bool {
        let same = Int(slots[Int(octet)]) * words
        let small = ignoringCase ? Int(slots[Int(ASCII.lowercased(octet))]) * words : same
        let isDelimiter = octet == 0x2F
        var literalCarry: UInt64 = 0
        var wildcardCarry: UInt64 = 0
        var alive: UInt64 = 0
        for word in 0..<words {
            let taken = reached[word] & (literals[same + word] | literals[small + word])
            // A wildcard stays where it is.
            let kept = reached[word] & (isDelimiter ? stars[word] : wildcards[word])
            let next = taken << 1 | literalCarry | kept
            // And it matches nothing as well.
            let passed = next & wildcards[word]
            reached[word] = next | passed << 1 | wildcardCarry
            literalCarry = taken >> 63
            wildcardCarry = passed >> 63
            alive |= reached[word]
        }
        return alive != 0
    }
}
