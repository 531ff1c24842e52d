internal import Glibc

/// A regular file that is read from front to back in pieces.
final class FileReader {
    let path: String
    let size: Int64
    /// Last change, in seconds and nanoseconds.
    let modified: (seconds: Int64, nanoseconds: Int64)
    private let descriptor: Int32
    private(set) var offset: Int64

    static let piece = 256 << 10

    /// - Parameter followsLinks: whether a symbolic link stands for its file.
    init(_ path: String, at offset: Int64 = 0, followsLinks: Bool) throws(TransferError) {
        // Without O_NONBLOCK a FIFO would wait for its writer.
        let flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followsLinks ? 0 : O_NOFOLLOW)
        let descriptor = Glibc.open(path, flags)
        guard descriptor >= 0 else {
            if errno == ELOOP { throw TransferError(.source, "\(path) is a symbolic link") }
            throw WholeFile.failure("read", path, .source)
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            Glibc.close(descriptor)
            throw TransferError(.source, "\(path) is no regular file")
        }
        self.path = path
        self.descriptor = descriptor
        self.offset = offset
        size = Int64(status.st_size)
        modified = (Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec))
        posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    }

    deinit { Glibc.close(descriptor) }

    /// The next piece; empty at the end.
    func next(_ count: Int = FileReader.piece) throws(TransferError) -> [UInt8] {
        let bytes = try read(at: offset, count)
        offset += Int64(bytes.count)
        return bytes
    }

    /// Up to `count` octets from `place` on; empty at and beyond the end.
    func read(at place: Int64, _ count: Int) throws(TransferError) -> [UInt8] {
        var failed = false
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            var got: Int
            repeat { got = pread(descriptor, buffer.baseAddress, count, off_t(place)) } while got < 0 && errno == EINTR
            failed = got < 0
            filled = max(0, got)
        }
        if failed { throw WholeFile.failure("read", path, .source) }
        return bytes
    }
}

/// What a directory holds.
enum DirectoryListing {
    enum Kind { case file, directory, other }

    /// Names, sorted. At most `limit`: beyond that the directory is not read.
    static func names(_ path: String, limit: Int = 5_000_000) throws(TransferError) -> [[UInt8]] {
        guard let directory = opendir(path) else { throw WholeFile.failure("read", path, .source) }
        defer { closedir(directory) }
        var names: [[UInt8]] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            if name == [0x2E] || name == [0x2E, 0x2E] { continue }
            guard names.count < limit else { throw TransferError(.source, "\(path) has more than \(limit) entries") }
            names.append(name)
        }
        return names.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// Without following a symbolic link.
    static func kind(_ path: String, followsLinks: Bool = false) -> Kind? {
        var status = stat()
        guard (followsLinks ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file
        case S_IFDIR: return .directory
        default: return .other
        }
    }

    static func size(_ path: String) -> Int64? {
        var status = stat()
        return stat(path, &status) == 0 ? Int64(status.st_size) : nil
    }
}
