internal import MailStore

/// A row of `blobs`.
struct KnownBlob: Sendable {
    var blob: BlobID
    /// As the row says, whether it makes sense or not.
    var segment: Int64
    /// nil when the row's numbers make no sense.
    var location: BlobLocation?
    var references: Int64
}

extension SQLiteConnection {
    /// Rows of `blobs` behind one, in the order of their names, at most `limit`. Rows whose name is none are left out.
    ///
    /// - Returns: the rows, and the name to go on from; nil when these were all.
    func blobs(after last: [UInt8], limit: Int) throws -> (blobs: [KnownBlob], last: [UInt8]?) {
        let rows = try self(.allBlobs).add(Schema.shard).add(last).add(limit)
        var blobs: [KnownBlob] = []
        blobs.reserveCapacity(min(limit, 4_096))
        var count = 0
        var next = last
        while try rows.step() {
            count += 1
            next = rows.bytes(0)
            guard let blob = BlobID(next) else { continue }
            blobs.append(
                KnownBlob(
                    blob: blob, segment: rows.int(1),
                    location: BlobLocation(segment: rows.int(1), place: rows.int(2), length: rows.int(3)),
                    references: rows.int(4)))
        }
        return (blobs, count < limit ? nil : next)
    }

    /// The segments that have a row, ascending, with the ends of what rows name.
    func segmentTails() throws -> [(segment: Int64, tail: Int64)] {
        var tails: [(segment: Int64, tail: Int64)] = []
        let rows = try self(.segmentTails).add(Schema.shard)
        while try rows.step() { tails.append((rows.int(0), rows.int(1))) }
        return tails
    }

    /// The segments in which blobs lie. A scan of `blobs`.
    func segmentsOfBlobs() throws -> Set<Int64> {
        var segments: Set<Int64> = []
        let rows = try self(.segmentsOfBlobs).add(Schema.shard)
        while try rows.step() { segments.insert(rows.int(0)) }
        return segments
    }

    /// Those of `blobs` that a message, a message that can be brought back, or the queue names. A scan of all of these.
    func named(among blobs: Set<BlobID>) throws -> Set<BlobID> {
        var named: Set<BlobID> = []
        guard !blobs.isEmpty else { return named }
        // Most are told apart by a few octets, without making an array of each.
        let marks = Set(blobs.map { BlobMark.of($0.bytes) })
        let rows = try self(.allBlobReferences)
        while try rows.step() {
            guard rows.withBytes(0, { marks.contains(BlobMark.of($0)) }) else { continue }
            if let blob = BlobID(rows.bytes(0)), blobs.contains(blob) { named.insert(blob) }
        }
        return named
    }
}

/// Eight octets of a blob's name as a number: names are SHA-256, so that these are spread evenly.
enum BlobMark {
    static func of(_ bytes: some Collection<UInt8>) -> UInt64 {
        bytes.dropFirst(4).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        guard bytes.count >= 12 else { return 0 }
        return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
    }
}
