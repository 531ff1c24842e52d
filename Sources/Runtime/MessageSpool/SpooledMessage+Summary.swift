internal import Glibc
public import MailStore
internal import MessageFormat

extension SpooledMessage {
    /// Larger messages are summarised beside the event loop.
    private static let largeBytes = 262_144

    /// The summary that is kept beside the message. One that is in a file is mapped, so that its size costs no memory of ours;
    /// the file is our own and nobody shortens it meanwhile.
    public func summary() async throws(StoreError) -> StoredSummary {
        switch place {
        case .memory(let bytes) where bytes.count <= Self.largeBytes: StoredSummary(MessageSummary.make(bytes))
        case .memory(let bytes): await Self.summarise(bytes)
        case .file(let path): try await Self.summarise(fileAt: path, size: size)
        }
    }

    /// For a message that is finished and does not go to the store.
    public func removeFile() {
        if case .file(let path) = place { unlink(path) }
    }

    @concurrent private static func summarise(_ bytes: [UInt8]) async -> StoredSummary {
        StoredSummary(MessageSummary.make(bytes))
    }

    @concurrent private static func summarise(fileAt path: String, size: Int) async throws(StoreError) -> StoredSummary
    {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .unavailable(reason: "a spooled message cannot be opened (error \(errno))") }
        defer { close(file) }
        guard size > 0 else { return StoredSummary(MessageSummary.make([])) }
        guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), base != MAP_FAILED else {
            throw .unavailable(reason: "a spooled message cannot be mapped (error \(errno))")
        }
        defer { munmap(base, size) }
        return StoredSummary(MessageSummary.make(UnsafeRawBufferPointer(start: base, count: size)))
    }
}
