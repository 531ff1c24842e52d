internal import Foundation
internal import Glibc

/// How far an import is: kept in a file beside the source or in the data directory, so that one that was interrupted goes on where
/// it was. Removed when the import is complete.
struct ImportState: Codable, Sendable, Hashable {
    struct Folder: Codable, Sendable, Hashable {
        var position: String?
        var isDone = false
    }

    static let version = 1

    var version = ImportState.version
    /// What is imported, and where to; a state of another import does not count.
    var source: String
    var account: String
    var folders: [String: Folder] = [:]

    init(source: String, account: String) {
        self.source = source
        self.account = account
    }

    /// The state in a file; an empty one when there is none that fits.
    static func read(_ path: String, source: String, account: String) -> ImportState {
        guard let data = FileManager.default.contents(atPath: path),
            let state = try? JSONDecoder().decode(ImportState.self, from: data), state.version == version,
            state.source == source, state.account == account
        else { return ImportState(source: source, account: account) }
        return state
    }

    /// Writes the file anew, so that it is whole at any moment.
    func write(_ path: String) throws(TransferError) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { try WholeFile.write(Array(try encoder.encode(self)), to: path) } catch let error as TransferError {
            throw error
        } catch {
            throw TransferError(.target, "cannot write \(path): \(error)")
        }
    }
}

/// Files that are there whole or not at all.
enum WholeFile {
    /// Writes another file beside it and gives that its name.
    static func write(_ bytes: [UInt8], to path: String) throws(TransferError) {
        let temporary = path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("write", path) }
        defer { Glibc.close(descriptor) }
        try write(bytes, to: descriptor, path)
        guard fsync(descriptor) == 0, rename(temporary, path) == 0 else { throw failure("write", path) }
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(TransferError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw failure("write", path) }
            rest = rest.dropFirst(count)
        }
    }

    /// What `errno` says.
    static func failure(_ verb: String, _ path: String, _ kind: TransferError.Kind = .target) -> TransferError {
        TransferError(kind, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}

func removeFile(_ path: String) { unlink(path) }
