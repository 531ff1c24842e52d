internal import MailStore

/// Compares how often blobs are named with what their counters say, in memory that does not grow with the store.
///
/// Names of blobs are SHA-256, so that a part of them is a random number. For each of 4,096 buckets the sum of these numbers
/// over all that names blobs must be their sum over all blobs, each times its counter. Two scans tell that all is well; only
/// buckets whose sums differ are looked at blob by blob.
struct ReferenceCheck {
    /// A blob whose counter is wrong.
    struct Difference: Sendable {
        var blob: BlobID
        /// nil: the blob has no row.
        var counted: Int64?
        /// How many name it.
        var found: Int64
    }

    private static let buckets = 4_096
    /// Names that are held at a time when differences are looked for.
    private static let maximumHeld = 200_000
    /// Differences that are told.
    static let maximumDifferences = 100_000

    private(set) var differences: [Difference] = []
    /// Rows that name no blob at all.
    private(set) var malformed = 0

    /// To be made within one read transaction.
    init(on connection: SQLiteConnection) throws {
        var sums = [UInt64](repeating: 0, count: ReferenceCheck.buckets)
        var counts = [Int](repeating: 0, count: ReferenceCheck.buckets)
        let references = try connection(.allBlobReferences)
        while try references.step() {
            let isWhole = references.withBytes(0) { name in
                guard name.count == 32 else { return false }
                let bucket = ReferenceCheck.bucket(name)
                sums[bucket] &+= BlobMark.of(name)
                counts[bucket] += 1
                return true
            }
            if !isWhole { malformed += 1 }
        }
        let blobs = try connection(.allBlobs).add(Schema.shard).add([] as [UInt8]).add(Int64.max)
        while try blobs.step() {
            let references = UInt64(bitPattern: blobs.int(4))
            blobs.withBytes(0) { name in
                guard name.count == 32 else { return }
                sums[ReferenceCheck.bucket(name)] &-= BlobMark.of(name) &* references
            }
        }
        var group: Set<Int> = []
        var held = 0
        for bucket in sums.indices where sums[bucket] != 0 {
            if !group.isEmpty, held + counts[bucket] > ReferenceCheck.maximumHeld {
                try compare(group, on: connection)
                group = []
                held = 0
            }
            group.insert(bucket)
            held += counts[bucket]
        }
        if !group.isEmpty { try compare(group, on: connection) }
    }

    private static func bucket(_ name: UnsafeRawBufferPointer) -> Int { Int(name[0]) << 4 | Int(name[1] >> 4) }

    private mutating func compare(_ group: Set<Int>, on connection: SQLiteConnection) throws {
        var found: [BlobID: Int64] = [:]
        func isInGroup(_ row: Statement) -> Bool {
            row.withBytes(0) { $0.count == 32 && group.contains(ReferenceCheck.bucket($0)) }
        }
        let references = try connection(.allBlobReferences)
        while try references.step() {
            guard isInGroup(references), let blob = BlobID(references.bytes(0)) else { continue }
            found[blob, default: 0] += 1
        }
        let blobs = try connection(.allBlobs).add(Schema.shard).add([] as [UInt8]).add(Int64.max)
        while try blobs.step() {
            guard isInGroup(blobs), let blob = BlobID(blobs.bytes(0)) else { continue }
            let references = found.removeValue(forKey: blob) ?? 0
            if references != blobs.int(4) { add(Difference(blob: blob, counted: blobs.int(4), found: references)) }
        }
        for (blob, references) in found { add(Difference(blob: blob, counted: nil, found: references)) }
    }

    private mutating func add(_ difference: Difference) {
        if differences.count < ReferenceCheck.maximumDifferences { differences.append(difference) }
    }
}
