internal import Crypto
internal import MailStore
internal import MartletCore

/// What makes two messages the same: by these few facts they may be, by their octets they are.
struct MessageLikeness: Hashable {
    /// Message-ID, date, subject and size, hashed.
    let value: UInt64

    init(_ summary: StoredSummary, size: Int) {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ 0xFF) &* 0x100_0000_01b3
        }
        mix((summary.messageID ?? "").utf8)
        mix(summary.subject.utf8)
        let numbers = [UInt64(bitPattern: summary.sentDate?.microseconds ?? 0), UInt64(size)]
        for number in numbers { withUnsafeBytes(of: number) { mix($0) } }
        value = hash
    }
}

extension MessageReading {
    /// Octets that are hashed at a time.
    private static var piece: Int { 1 << 20 }

    /// The name that the whole message would have as a blob.
    func digest() async throws(StoreError) -> BlobID? {
        var hash = SHA256()
        var place = 0
        while place < size {
            let bytes = try await read(place..<min(size, place + Self.piece))
            guard !bytes.isEmpty else { return nil }
            hash.update(data: bytes)
            place += bytes.count
        }
        return BlobID(Array(hash.finalize()))
    }
}
