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
    package var log: String { path + "/log" }
    package var controlSocket: String { path + "/control.sock" }
    package var labFile: String { path + "/lab.json" }
    /// What a lab knows of its last start: domain and password of the accounts that it made.
    package var labState: String { path + "/lab.state" }
    package var authorityCertificate: String { path + "/ca.pem" }
    package var authorityKey: String { tls + "/ca-key.pem" }
    package var serverCertificate: String { tls + "/server.pem" }
    package var serverKey: String { tls + "/server-key.pem" }

    /// Whether a server has kept something here.
    package var isInUse: Bool { FileManager.default.fileExists(atPath: store) }

    /// Whether a server has listened here; it may be gone.
    package var hasControlSocket: Bool { FileManager.default.fileExists(atPath: controlSocket) }

    /// Makes the directory and what is in it. Others may pass through to `ca.pem`; all else is the owner's alone.
    package func create() throws(FileFailure) {
        for directory in [path, store, tls] {
            do {
                try FileManager.default.createDirectory(
                    atPath: directory, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: directory == path ? 0o755 : 0o700])
            } catch {
                throw FileFailure("cannot make the directory \(directory): \(reason(error))")
            }
        }
        guard access(path, W_OK) == 0 else {
            throw FileFailure("cannot write in \(path): \(String(cString: strerror(errno)))")
        }
        // A name is durable when its directory is: after a power cut all is there, or nothing was acknowledged.
        try sync(path)
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
        FileManager.default.contents(atPath: file).map { Array($0) }
    }

    /// Writes a small file whole: to another name, synced, then renamed, and the name synced.
    package func write(_ text: String, to file: String, mode: mode_t) throws(FileFailure) {
        let temporary = file + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw FileFailure("cannot write \(file): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        // The mode counts whatever the umask is.
        fchmod(descriptor, mode)
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0,
            rename(temporary, file) == 0
        else {
            throw FileFailure("cannot write \(file): \(String(cString: strerror(errno)))")
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
