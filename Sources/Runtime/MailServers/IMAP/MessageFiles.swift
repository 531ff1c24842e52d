#if canImport(Glibc)
    internal import Glibc
#endif
internal import MailStore
internal import MessageFormat

/// Messages in the spool: what is computed of them at the door.
enum MessageFiles {
    /// Larger messages are summarised beside the event loop.
    private static let largeBytes = 262_144

    /// The summary that is kept beside the message. A large one is mapped, not read, and does not hold up other connections.
    static func summary(of content: SpooledMessage) async throws(StoreError) -> StoredSummary {
        switch content.place {
        case .memory(let bytes) where bytes.count <= largeBytes: return StoredSummary(MessageSummary.make(bytes))
        case .memory(let bytes): return await summarise(bytes)
        case .file(let path): return try await summarise(fileAt: path, size: content.size)
        }
    }

    @concurrent private static func summarise(_ bytes: [UInt8]) async -> StoredSummary {
        StoredSummary(MessageSummary.make(bytes))
    }

    @concurrent private static func summarise(fileAt path: String, size: Int) async throws(StoreError) -> StoredSummary
    {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unavailable(reason: "a spooled message cannot be opened (error \(errno))") }
        defer { Glibc.close(descriptor) }
        guard size > 0 else { return StoredSummary(MessageSummary.make([])) }
        guard let memory = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), memory != MAP_FAILED else {
            throw .unavailable(reason: "a spooled message cannot be mapped (error \(errno))")
        }
        defer { munmap(memory, size) }
        return StoredSummary(MessageSummary.make(UnsafeRawBufferPointer(start: memory, count: size)))
    }

    /// Removes a finished message that will not be stored.
    static func remove(_ content: SpooledMessage) {
        if case .file(let path) = content.place { unlink(path) }
    }
}
