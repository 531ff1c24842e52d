internal import Glibc
internal import MailStore
internal import MessageFormat

extension SpooledMessage {
    /// The summary of the message. One that is in a file is mapped, so that its size costs no memory of ours; the file is
    /// our own and nobody shortens it meanwhile.
    func summary() async throws(StoreError) -> StoredSummary {
        switch place {
        case .memory(let bytes): return StoredSummary(MessageSummary.make(bytes))
        case .file(let path):
            do { return try await Self.summary(ofFile: path, size: size) } catch {
                throw .unavailable(reason: "\(error)")
            }
        }
    }

    /// For a message that is finished and does not go to the store.
    func removeFile() {
        if case .file(let path) = place { unlink(path) }
    }

    private struct MapError: Error, CustomStringConvertible {
        var code: Int32
        var description: String { "the spooled message cannot be read: error \(code)" }
    }

    /// Off the event loop: a large message takes its time.
    @concurrent private static func summary(ofFile path: String, size: Int) async throws -> StoredSummary {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw MapError(code: errno) }
        defer { close(file) }
        guard size > 0 else { return StoredSummary(MessageSummary.make([])) }
        guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, file, 0), base != MAP_FAILED else {
            throw MapError(code: errno)
        }
        defer { munmap(base, size) }
        return StoredSummary(MessageSummary.make(UnsafeRawBufferPointer(start: base, count: size)))
    }
}
