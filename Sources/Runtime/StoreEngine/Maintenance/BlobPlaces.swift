internal import MailStore
internal import MartletCore
internal import Records

/// What names certain blobs.
struct BlobPlaces: Sendable {
    struct Message: Sendable, Hashable {
        var key: MailboxKey
        var uid: UInt32
    }

    /// Places that are kept for one blob.
    private static let maximumPlaces = 10_000

    private(set) var messages: [BlobID: [Message]] = [:]
    private(set) var expunged: [BlobID: [Message]] = [:]
    /// Lookup codes of queued messages.
    private(set) var queued: [BlobID: [LookupCode]] = [:]

    /// A scan of all messages.
    init(of blobs: Set<BlobID>, on connection: SQLiteConnection) throws {
        guard !blobs.isEmpty else { return }
        messages = try BlobPlaces.find(blobs, try connection(.placesOfBlobs))
        expunged = try BlobPlaces.find(blobs, try connection(.expungedPlacesOfBlobs))
        let rows = try connection(.queuePlacesOfBlobs).add(Schema.shard)
        while try rows.step() {
            guard let blob = BlobID(rows.bytes(1)), blobs.contains(blob), let code = LookupCode(value: rows.int(0))
            else {
                continue
            }
            queued[blob, default: []].append(code)
        }
    }

    private static func find(_ blobs: Set<BlobID>, _ rows: Statement) throws -> [BlobID: [Message]] {
        var found: [BlobID: [Message]] = [:]
        let marks = Set(blobs.map { BlobMark.of($0.bytes) })
        while try rows.step() {
            guard rows.withBytes(3, { marks.contains(BlobMark.of($0)) }), let blob = BlobID(rows.bytes(3)),
                blobs.contains(blob), found[blob, default: []].count < maximumPlaces
            else { continue }
            let key = MailboxKey(account: AccountID(rows.int(0)), mailbox: MailboxID(rows.int(1)))
            found[blob, default: []].append(Message(key: key, uid: UInt32(clamping: rows.int(2))))
        }
        return found
    }

    /// Who is concerned, in a few words: `message 1/3/17 and 4 more`. Empty when nobody is.
    func told(_ blob: BlobID) -> String {
        let all =
            (messages[blob] ?? []).map { "message \($0.key)/\($0.uid)" }
            + (queued[blob] ?? []).map { "queued message \($0)" }
            + (expunged[blob] ?? []).map { "expunged message \($0.key)/\($0.uid)" }
        guard let first = all.first else { return "" }
        return all.count == 1 ? first : "\(first) and \(all.count - 1) more"
    }
}
