internal import Crypto
internal import MailStore
internal import Synchronization

/// Collects one message: hashed as it comes, in memory up to a threshold, then in a file of the spool directory.
final class Spool: SpoolWriter {
    private let directory: SpoolDirectory
    private var hash = SHA256()
    private var bytes: [UInt8] = []
    private var file: (path: String, handle: any StoreFile)?
    /// Octets that stand in the file already.
    private var written = 0

    init(directory: SpoolDirectory) { self.directory = directory }

    deinit { discard() }

    var size: Int { written + bytes.count }

    func append(_ new: UnsafeRawBufferPointer) throws(StoreError) {
        hash.update(bufferPointer: new)
        bytes.append(contentsOf: new)
        guard bytes.count > directory.threshold else { return }
        try spill()
    }

    func finish() throws(StoreError) -> SpooledMessage {
        guard let blob = BlobID(Array(hash.finalize())) else { throw .corrupt(reason: "a digest has 32 octets") }
        guard file != nil else { return SpooledMessage(place: .memory(bytes), blob: blob, size: bytes.count) }
        try spill()
        guard let path = file?.path else { throw .unavailable(reason: "the spool file is gone") }
        file = nil
        return SpooledMessage(place: .file(path: path), blob: blob, size: written)
    }

    func discard() {
        bytes = []
        guard let path = file?.path else { return }
        file = nil
        try? directory.layer.remove(path)
    }

    private func spill() throws(StoreError) {
        do {
            if file == nil { file = try directory.makeFile() }
            guard let file else { return }
            try file.handle.write(bytes, at: Int64(written))
            written += bytes.count
            bytes.removeAll(keepingCapacity: true)
        } catch {
            throw StoreError(error)
        }
    }
}

/// The directory for large messages on their way. Emptied when the store opens: nothing in it was ever promised.
final class SpoolDirectory: Sendable {
    let path: String
    let threshold: Int
    let layer: any FileLayer
    private let next = Atomic<Int>(0)

    init(path: String, threshold: Int, layer: any FileLayer) {
        self.path = path
        self.threshold = threshold
        self.layer = layer
    }

    func prepare() throws(FileError) {
        try layer.makeDirectory(path)
        for name in try layer.list(path) { try layer.remove(path + "/" + name) }
    }

    func makeFile() throws(FileError) -> (path: String, handle: any StoreFile) {
        let number = next.wrappingAdd(1, ordering: .relaxed).newValue
        let path = path + "/\(number)"
        return (path, try layer.open(path, create: true))
    }
}
