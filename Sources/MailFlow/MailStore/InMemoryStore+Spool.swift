/// Collects a message in memory and names it by its SHA-256.
final class InMemorySpool: SpoolWriter {
    private var bytes: [UInt8] = []

    var size: Int { bytes.count }

    func append(_ bytes: UnsafeRawBufferPointer) throws(StoreError) { self.bytes.append(contentsOf: bytes) }

    func finish() throws(StoreError) -> SpooledMessage {
        guard let blob = BlobID(sha256(bytes)) else { throw .corrupt(reason: "a digest has 32 octets") }
        return SpooledMessage(place: .memory(bytes), blob: blob, size: bytes.count)
    }

    func discard() { bytes = [] }
}
