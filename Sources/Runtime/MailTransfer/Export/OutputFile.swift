internal import Glibc

/// A file that is written from front to back, through a buffer.
final class OutputFile {
    let path: String
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private(set) var length: Int64

    private static let bufferSize = 256 << 10

    /// - Parameter length: octets of an existing file that stay; the rest is cut off. nil: the file is made, and must not be there.
    init(_ path: String, keeping length: Int64? = nil) throws(TransferError) {
        let flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (length == nil ? O_EXCL : 0)
        descriptor = Glibc.open(path, flags, 0o600)
        self.path = path
        self.length = length ?? 0
        guard descriptor >= 0 else { throw WholeFile.failure("write", path) }
        if let length {
            guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, off_t(length), SEEK_SET) >= 0 else {
                throw WholeFile.failure("write", path)
            }
        }
    }

    deinit { if descriptor >= 0 { Glibc.close(descriptor) } }

    func append(_ bytes: [UInt8]) throws(TransferError) {
        buffer += bytes
        length += Int64(bytes.count)
        if buffer.count >= Self.bufferSize { try flush() }
    }

    func flush() throws(TransferError) {
        try WholeFile.write(buffer, to: descriptor, path)
        buffer.removeAll(keepingCapacity: true)
    }

    /// Takes back what was written beyond `length`.
    func cut(to length: Int64) throws(TransferError) {
        try flush()
        guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, off_t(length), SEEK_SET) >= 0 else {
            throw WholeFile.failure("write", path)
        }
        self.length = length
    }

    func sync() throws(TransferError) {
        try flush()
        guard fsync(descriptor) == 0 else { throw WholeFile.failure("write", path) }
    }

    func setModified(seconds: Int64, microseconds: Int64) {
        var times = [
            timespec(tv_sec: Int(seconds), tv_nsec: Int(microseconds) * 1_000),
            timespec(tv_sec: Int(seconds), tv_nsec: Int(microseconds) * 1_000),
        ]
        futimens(descriptor, &times)
    }
}

/// Directories of an export.
enum OutputDirectory {
    static func make(_ path: String) throws(TransferError) {
        var place = ""
        for level in path.split(separator: "/", omittingEmptySubsequences: false) {
            place += place.isEmpty && level.isEmpty ? "/" : (place.isEmpty || place == "/" ? "" : "/") + level
            if place.isEmpty || place == "/" { continue }
            guard mkdir(place, 0o700) == 0 || errno == EEXIST else {
                throw WholeFile.failure("make the directory", place)
            }
        }
    }

    /// Makes the names in a directory durable.
    static func sync(_ path: String) throws(TransferError) {
        let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw WholeFile.failure("sync", path) }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw WholeFile.failure("sync", path) }
    }

    /// Makes everything durable that was written: cheaper than a sync for each of many files.
    static func syncAll(_ path: String) throws(TransferError) {
        Glibc.sync()
        try sync(path)
    }

    static func rename(_ old: String, to new: String) throws(TransferError) {
        guard Glibc.rename(old, new) == 0 else { throw WholeFile.failure("write", new) }
    }

    /// A level of a mailbox's name as a file's: what a path would take for something else is written in hexadecimal.
    static func fileName(_ level: some StringProtocol) -> String {
        var name = ""
        for (index, scalar) in level.unicodeScalars.enumerated() {
            if scalar == "%" || scalar == "/" || scalar.value < 0x20 || scalar == "." && index == 0 {
                name += "%" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16, uppercase: true)
            } else {
                name.unicodeScalars.append(scalar)
            }
        }
        return name
    }
}
