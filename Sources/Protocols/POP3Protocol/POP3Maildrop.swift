internal import MartletBytes

/// The messages of a session as they were at login, with this session's deletions (RFC 1939 §5: numbers do not change
/// while the session lasts). The arrays are the store's own, shared copy-on-write.
public struct POP3Maildrop: Sendable, Hashable {
    public let uidValidity: UInt32
    public let uids: [UInt32]
    /// Octets each.
    public let sizes: [UInt32]
    private var deleted: Set<Int> = []
    private(set) var count: Int
    private(set) var octets: Int

    /// - Parameters:
    ///   - uids: ascending.
    ///   - sizes: of the same messages, in octets.
    public init(uidValidity: UInt32, uids: [UInt32], sizes: [UInt32]) {
        precondition(uids.count == sizes.count, "a size for each message")
        self.uidValidity = uidValidity
        self.uids = uids
        self.sizes = sizes
        count = uids.count
        octets = sizes.reduce(0) { $0 + Int($1) }
    }

    /// The UIDs that QUIT will remove, ascending.
    var deletedUIDs: [UInt32] { deleted.sorted().map { uids[$0] } }

    /// The place of message `number` (1 and up); nil when there is none or it is deleted.
    func place(_ number: Int) -> Int? {
        guard number >= 1, number <= uids.count, !deleted.contains(number - 1) else { return nil }
        return number - 1
    }

    mutating func delete(place: Int) {
        guard deleted.insert(place).inserted else { return }
        count -= 1
        octets -= Int(sizes[place])
    }

    mutating func undeleteAll() {
        count = uids.count
        octets += deleted.reduce(0) { $0 + Int(sizes[$1]) }
        deleted = []
    }

    func appendSize(place: Int, to text: inout [UInt8]) {
        ASCII.appendDecimal(UInt64(place + 1), to: &text)
        text.append(ASCII.space)
        ASCII.appendDecimal(UInt64(sizes[place]), to: &text)
    }

    /// RFC 1939 §7: 1 to 70 characters of 0x21 to 0x7E that never name another message: validity and UID of IMAP.
    func appendUniqueID(place: Int, to text: inout [UInt8]) {
        ASCII.appendDecimal(UInt64(place + 1), to: &text)
        text.append(ASCII.space)
        ASCII.appendDecimal(UInt64(uidValidity), to: &text)
        text.append(UInt8(ascii: "."))
        ASCII.appendDecimal(UInt64(uids[place]), to: &text)
    }
}

/// A LIST or UIDL answer that is being sent.
struct POP3Listing: Sendable, Hashable {
    var isUniqueIDs: Bool
    var next = 0

    /// Adds lines until the piece is full. False when there is more.
    mutating func append(_ maildrop: POP3Maildrop, to piece: inout [UInt8]) -> Bool {
        while next < maildrop.uids.count {
            if piece.count >= POP3Limits.listingPiece { return false }
            let place = next
            next += 1
            guard maildrop.place(place + 1) != nil else { continue }
            if isUniqueIDs {
                maildrop.appendUniqueID(place: place, to: &piece)
            } else {
                maildrop.appendSize(place: place, to: &piece)
            }
            piece.append(ASCII.carriageReturn)
            piece.append(ASCII.lineFeed)
        }
        piece.append(contentsOf: ".\r\n".utf8)
        return true
    }
}
