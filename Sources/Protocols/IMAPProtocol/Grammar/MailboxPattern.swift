/// A pattern of LIST and LSUB with its reference: `*` matches anything, `%` anything within a level (RFC 9051 §6.3.9). INBOX, as
/// the first level of a name, has no case (§5.1).
public struct MailboxPattern: Sendable, Equatable {
    /// UTF-8, reference and pattern put together.
    let octets: [UInt8]
    /// Octets before the first wildcard.
    private let literalCount: Int

    /// - Parameters: as in `ListCommand`: decoded, `/` between levels.
    public init(reference: String, pattern: String) {
        // A pattern that begins with the delimiter is absolute: the reference does not count.
        let text = pattern.utf8.first == 0x2F ? String(pattern.dropFirst()) : reference + pattern
        octets = Array(text.utf8)
        literalCount = octets.firstIndex { $0 == 0x2A || $0 == 0x25 } ?? octets.count
    }

    /// Time is bounded by the product of both lengths.
    public func matches(_ name: String) -> Bool {
        if octets == [0x2A] { return true }
        var name = name
        return name.withUTF8 { matches($0) }
    }

    private func matches(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let isBelowInbox =
            name.count >= 5 && name[..<5].elementsEqual("INBOX".utf8) && (name.count == 5 || name[5] == 0x2F)
        func isSame(_ index: Int, _ place: Int) -> Bool {
            octets[index] == name[place]
                || isBelowInbox && place < 5 && Octet.uppercased(octets[index]) == name[place]
        }
        // What stands before the first wildcard settles it for most names.
        guard name.count >= literalCount else { return false }
        for index in 0..<literalCount where !isSame(index, index) { return false }
        if literalCount == octets.count { return name.count == literalCount }
        // reached[i]: the pattern's first i octets match what has been read of the name.
        var reached = [Bool](repeating: false, count: octets.count + 1)
        var next = reached
        reached[literalCount] = true
        spread(&reached)
        for place in literalCount..<name.count {
            var isAlive = false
            for index in literalCount...octets.count { next[index] = false }
            for index in literalCount..<octets.count where reached[index] {
                switch octets[index] {
                case 0x2A: next[index] = true
                case 0x25: if name[place] != 0x2F { next[index] = true }
                default: if isSame(index, place) { next[index + 1] = true }
                }
                isAlive = isAlive || next[index] || next[index + 1]
            }
            guard isAlive else { return false }
            spread(&next)
            swap(&reached, &next)
        }
        return reached[octets.count]
    }

    /// Wildcards match nothing as well.
    private func spread(_ reached: inout [Bool]) {
        for index in literalCount..<octets.count
        where reached[index] && (octets[index] == 0x2A || octets[index] == 0x25) {
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
