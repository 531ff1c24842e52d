internal import IMAPProtocol
internal import MailStore
internal import MartletCore

/// FETCH of what the index knows (UID, FLAGS, INTERNALDATE, RFC822.SIZE, MODSEQ): written straight into a buffer, a piece at a
/// time, some ten nanoseconds a message. `UID FETCH 1:* (FLAGS)` of a million messages is the case that it is made for.
struct IndexFetch {
    enum Item {
        case uid
        case flags
        case internalDate
        case size
        case modSeq

        /// Octets of the item at its longest with the space before it; of FLAGS without the list.
        var longest: Int {
            switch self {
            case .uid: " UID 4294967295".utf8.count
            case .flags: " FLAGS ".utf8.count
            case .internalDate: " INTERNALDATE \"24-Nov-2026 12:00:00 +0000\"".utf8.count
            case .size: " RFC822.SIZE 4294967295".utf8.count
            case .modSeq: " MODSEQ (18446744073709551615)".utf8.count
            }
        }
    }

    private let items: [Item]
    private let targets: FetchTargets
    private let index: MailboxIndex
    private var names: FlagNames
    private var next = 0
    private let tellsFlags: Bool
    /// Octets of one response at its longest, without its list of flags.
    private let longestResponse: Int

    private static let pieceBytes = 65_536
    /// Octets that a list of flags is reckoned with beforehand; longer ones are fewer to a piece.
    private static let usualFlags = 64

    /// nil when an item needs more than the index.
    /// - Parameter items: each once, as `FetchPlan` gives them.
    static func items(_ items: [FetchItem]) -> [Item]? {
        var result: [Item] = []
        for item in items {
            switch item {
            case .uid: result.append(.uid)
            case .flags: result.append(.flags)
            case .internalDate: result.append(.internalDate)
            case .size: result.append(.size)
            case .modSeq: result.append(.modSeq)
            default: return nil
            }
        }
        return result
    }

    init(items: [Item], targets: FetchTargets, index: MailboxIndex) {
        self.items = items
        self.targets = targets
        self.index = index
        names = FlagNames(keywords: index.keywords)
        tellsFlags = items.contains { if case .flags = $0 { true } else { false } }
        longestResponse = items.reduce("* 4294967295 FETCH ()\r\n".utf8.count) { $0 + $1.longest }
    }

    /// The next piece of the answer: at least one response. nil when all is written.
    mutating func nextPiece() -> [UInt8]? {
        guard next < targets.count else { return nil }
        let usual = longestResponse + (tellsFlags ? IndexFetch.usualFlags : 0)
        var room = min(IndexFetch.pieceBytes, usual * (targets.count - next))
        while true {
            let first = next
            let piece = write(room: room)
            if next > first { return piece }
            // Not one response had room. Each ends, so that some room is enough.
            room *= 2
        }
    }

    /// Writes as many responses as have room, and none in part.
    private mutating func write(room: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            var cursor = ByteCursor(base, capacity: buffer.count)
            while next < targets.count {
                let (sequence, place) = targets[next]
                let mark = cursor.at
                write(sequence, place, tellsFlags ? names.list(index.flags[place]) : [], to: &cursor)
                if cursor.hasOverflowed {
                    cursor.rewind(to: mark)
                    break
                }
                next += 1
            }
            count = cursor.at - base
        }
    }

    @inline(__always)
    private func write(_ sequence: Int, _ place: Int, _ flags: [UInt8], to cursor: inout ByteCursor) {
        cursor.put("* ")
        cursor.putDecimal(UInt64(sequence))
        cursor.put(" FETCH (")
        var isFirst = true
        for item in items {
            if !isFirst { cursor.put(0x20) }
            isFirst = false
            switch item {
            case .uid:
                cursor.put("UID ")
                cursor.putDecimal(UInt64(index.uids[place]))
            case .flags:
                cursor.put("FLAGS ")
                cursor.put(flags)
            case .internalDate:
                cursor.put("INTERNALDATE ")
                cursor.putDateTime(Instant(microseconds: index.internalDates[place]))
            case .size:
                cursor.put("RFC822.SIZE ")
                cursor.putDecimal(UInt64(index.sizes[place]))
            case .modSeq:
                cursor.put("MODSEQ (")
                cursor.putDecimal(UInt64(clamping: index.modSeqs[place]))
                cursor.put(")")
            }
        }
        cursor.put(")\r\n")
    }
}
