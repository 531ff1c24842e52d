internal import Foundation
package import Glibc

/// The directory in which everything is kept, and the names of what is in it.
package struct DataDirectory: Sendable, Hashable {
    /// Absolute.
    package let path: String

    package init(_ path: String) {
        self.path = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    }

    /// Rows, blobs and spool of the store engine.
    package var store: String { path + "/store" }
    package var tls: String { path + "/tls" }
    /// Certificates of an authority and the keys of accounts with one.
    package var acme: String { tls + "/acme" }
    package var log: String { path + "/log" }
    package var controlSocket: String { path + "/control.sock" }
    package var labFile: String { path + "/lab.json" }
    /// What a lab knows of its last start: domain and password of the accounts that it made.
    package var labState: String { path + "/lab.state" }
    /// By which rewritten senders of forwarded mail are known again.
    package var senderRewritingKey: String { path + "/srs.key" }
    package var authorityCertificate: String { path + "/ca.pem" }
    package var authorityKey: String { tls + "/ca-key.pem" }
    package var serverCertificate: String { tls + "/server.pem" }
    package var serverKey: String { tls + "/server-key.pem" }

    /// Whether a server has kept something here.
    package var isInUse: Bool { FileManager.default.fileExists(atPath: store) }

    /// Whether a server has listened here; it may be gone.
    package var hasControlSocket: Bool { FileManager.default.fileExists(atPath: controlSocket) }

    /// Makes the directory and what is in it, for its owner alone. One that is there keeps its mode.
    package func create() throws(FileFailure) {
        for directory in [path, store, tls, acme] {
            do {
                try FileManager.default.createDirectory(
                    atPath: directory, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            } catch {
                throw FileFailure("cannot make the directory \(directory): \(reason(error))")
            }
        }
        guard access(path, W_OK) == 0 else {
            throw FileFailure("cannot write in \(path): \(String(cString: strerror(errno)))")
        }
        // A name is durable when its directory is: after a power cut all is there, or nothing was acknowledged.
        try sync(path)
        try sync(tls)
        try sync((path as NSString).deletingLastPathComponent)
    }

    private func sync(_ directory: String) throws(FileFailure) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        // One that others own and that cannot be read is theirs to keep.
        if descriptor < 0, errno == EACCES { return }
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, fsync(descriptor) == 0 else {
            throw FileFailure("cannot sync the directory \(directory): \(String(cString: strerror(errno)))")
        }
    }

    package func read(_ file: String) -> String? {
        DataDirectory.bytes(of: file).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The content of a file; nil when it cannot be read.
    package static func bytes(of file: String) -> [UInt8]? {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            // A pipe is as good as a file.
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0, bytes.count + count <= maximumFile else { return nil }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// Octets of the largest file that is read whole.
    private static let maximumFile = 64 << 20

    /// Writes a small file whole: to another name, synced, then renamed, and the name synced.
    package func write(_ text: String, to file: String, mode: mode_t) throws(FileFailure) {
        let temporary = file + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileFailure("cannot write \(file): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        // The mode counts whatever the umask is.
        fchmod(descriptor, mode)
        guard writeAll(Array(text.utf8), to: descriptor), fsync(descriptor) == 0, rename(temporary, file) == 0 else {
            let code = errno
            unlink(temporary)
            throw FileFailure("cannot write \(file): \(String(cString: strerror(code)))")
        }
        try sync((file as NSString).deletingLastPathComponent)
    }

    private func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        if let underlying, underlying.domain == NSPOSIXErrorDomain {
            return String(cString: strerror(Int32(underlying.code)))
        }
        return "\(error.localizedDescription)"
    }
}

/// A file or directory could not be read or written; a sentence for people.
package struct FileFailure: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
