#if canImport(Glibc)
    internal import Glibc
#endif

/// Copies and checks files of backups, in parts, so that memory stays small.
enum BackupFiles {
    static let layer = PosixFileLayer()
    private static let part = 1 << 20

    /// Copies octets `range` of one file to the same place in another, and syncs them.
    ///
    /// - Returns: their SHA-256.
    static func copy(
        _ range: Range<Int64>, of source: any StoreFile, at name: String, to target: any StoreFile,
        _ progress: (Int64) throws -> Void
    ) throws -> String {
        try walk(range, of: source, at: name) { bytes, offset in
            try target.write(bytes, at: offset)
            try progress(Int64(bytes.count))
        } sync: {
            try target.sync()
        }
    }

    /// SHA-256 of octets `range` of a file.
    static func digest(
        _ range: Range<Int64>, of source: any StoreFile, at name: String, _ progress: (Int64) throws -> Void
    ) throws -> String {
        try walk(range, of: source, at: name) { bytes, _ in
            try progress(Int64(bytes.count))
        } sync: {
        }
    }

    private static func walk(
        _ range: Range<Int64>, of source: any StoreFile, at name: String,
        _ body: (UnsafeRawBufferPointer, Int64) throws -> Void, sync: () throws -> Void
    ) throws -> String {
        var digest = RunningDigest()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: part, alignment: 4_096)
        defer { buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let wanted = Int(min(Int64(part), range.upperBound - offset))
            let count = try source.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[0..<wanted]))
            guard count == wanted else {
                throw BackupFailure(
                    .damaged, "\(name) ends at octet \(offset + Int64(count)), \(range.upperBound) are wanted")
            }
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[0..<count])
            digest.update(bytes)
            try body(bytes, offset)
            offset += Int64(count)
        }
        try sync()
        return digest.hexadecimal()
    }

    /// Opens for reading alone; nil when there is no such file.
    static func openForReading(_ path: String) throws(FileError) -> (any StoreFile)? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw FileError(operation: "open", path: path, code: errno)
        }
        return PosixFile(descriptor: descriptor, path: path)
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func mode(_ path: String) -> UInt32 {
        var status = stat()
        return stat(path, &status) == 0 ? UInt32(status.st_mode & 0o7777) : 0o600
    }

    static func rename(_ old: String, to new: String) throws(FileError) {
        guard Glibc.rename(old, new) == 0 else { throw FileError(operation: "rename", path: new, code: errno) }
    }

    /// Makes a directory and those above it.
    static func makeDirectories(_ path: String) throws(FileError) {
        var made = path.hasPrefix("/") ? "" : "."
        for level in path.split(separator: "/") {
            made += "/\(level)"
            if !isDirectory(made) {
                try layer.makeDirectory(made)
            }
        }
    }

    /// Removes a directory with all that is in it. Links are removed, not followed.
    static func removeTree(_ path: String, depth: Int = 0) throws(FileError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR, depth < 32 {
            for name in try layer.list(path) { try removeTree(path + "/" + name, depth: depth + 1) }
            guard rmdir(path) == 0 else { throw FileError(operation: "rmdir", path: path, code: errno) }
        } else {
            try layer.remove(path)
        }
    }

    struct Owner {
        var user: UInt32
        var group: UInt32
    }

    /// nil when there is no such file.
    static func owner(_ path: String) -> Owner? {
        var status = stat()
        return stat(path, &status) == 0 ? Owner(user: status.st_uid, group: status.st_gid) : nil
    }

    /// Gives a directory and all in it to somebody, which root can do.
    static func giveTree(_ path: String, to owner: Owner) throws(FileError) {
        guard geteuid() == 0 else { return }
        guard lchown(path, owner.user, owner.group) == 0 else {
            throw FileError(operation: "chown", path: path, code: errno)
        }
        guard isDirectory(path) else { return }
        for name in try layer.list(path) { try giveTree(path + "/" + name, to: owner) }
    }

    /// Writes a small file whole, with its permissions, and syncs it.
    static func write(_ bytes: [UInt8], to path: String, mode: UInt32 = 0o600) throws(FileError) {
        let file = try layer.open(path, create: true)
        try file.truncate(to: 0)
        try file.write(bytes, at: 0)
        try file.sync()
        try setMode(mode, of: path)
    }

    static func setMode(_ mode: UInt32, of path: String) throws(FileError) {
        guard chmod(path, mode_t(mode & 0o7777)) == 0 else {
            throw FileError(operation: "chmod", path: path, code: errno)
        }
    }

    /// The octets of a small file; nil when there is none, or it is larger than `limit`.
    static func read(_ path: String, limit: Int64) throws -> [UInt8]? {
        guard let file = try openForReading(path) else { return nil }
        let size = try file.size()
        guard size <= limit else { return nil }
        return try [UInt8](unsafeUninitializedCapacity: Int(size)) { buffer, count in
            count = try file.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
