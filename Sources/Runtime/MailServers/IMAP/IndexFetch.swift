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
    }

    private let items: [Item]
    private let targets: FetchTargets
    private let index: MailboxIndex
    private var names: FlagNames
    private var next = 0

    /// Octets of one response without its flags: numbers of at most 20 digits, names, a date.
    private static let longestResponse = 192
    private static let pieceBytes = 65_536

    /// nil when an item needs more than the index.
    static func items(_ items: [FetchItem], isUID: Bool) -> [Item]? {
        var result: [Item] = []
        if isUID, !items.contains(.uid) { result.append(.uid) }
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
        // Each item once is what `longestResponse` counts on.
        return result.count <= 6 ? result : nil
    }

    init(items: [Item], targets: FetchTargets, index: MailboxIndex) {
        self.items = items
        self.targets = targets
        self.index = index
        names = FlagNames(keywords: index.keywords)
    }

    /// The next piece of the answer; nil when all is written.
    mutating func nextPiece() -> [UInt8]? {
        guard next < targets.count else { return nil }
        let left = targets.count - next
        var room = min(IndexFetch.pieceBytes, IndexFetch.longestResponse + left * 96)
        if items.contains(where: { if case .flags = $0 { true } else { false } }) {
            room = max(room, IndexFetch.longestResponse + names.list(index.flags[targets[next].place]).count)
        }
        return [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
            guard let base = buffer.baseAddress else { return }
            let end = base + room
            var cursor = ByteCursor(base)
            while next < targets.count {
                let (sequence, place) = targets[next]
                let flags = names.list(index.flags[place])
                guard end - cursor.at >= IndexFetch.longestResponse + flags.count else { break }
                write(sequence, place, flags, to: &cursor)
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
