internal import MailStore

/// Messages read before they are asked for: clients fetch one after the other, and a wait for each costs more than its bytes.
struct POP3ReadAhead {
    /// Octets that are held, the message that was asked for included.
    static let maximumOctets = 65_536
    static let maximumMessages = 16

    /// As it was at login.
    private let index: MailboxIndex
    private var held: [UInt32: any MessageReading] = [:]

    init(_ index: MailboxIndex = MailboxIndex()) { self.index = index }

    mutating func take(_ uid: UInt32) -> (any MessageReading)? { held.removeValue(forKey: uid) }

    mutating func put(_ messages: [(uid: UInt32, message: any MessageReading)]) {
        for (uid, message) in messages { held[uid] = message }
    }

    /// `uid` and those behind it that are read along with it. None when the last guess was wrong: something is still held.
    mutating func run(from uid: UInt32) -> [UInt32] {
        guard held.isEmpty else {
            held = [:]
            return []
        }
        guard let first = index.position(of: uid) else { return [] }
        var octets = 0
        var end = first
        while end < index.count, end - first < POP3ReadAhead.maximumMessages {
            octets += Int(index.sizes[end])
            guard octets <= POP3ReadAhead.maximumOctets else { break }
            end += 1
        }
        return Array(index.uids[first..<max(first, end)])
    }
}
