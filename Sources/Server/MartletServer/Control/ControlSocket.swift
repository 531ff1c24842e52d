internal import Glibc

/// The path of a data directory's control socket in a form that `bind` and `connect` take.
///
/// A Unix socket's path has at most 107 octets. Through `/proc/self/fd` a directory of any length can be named in a few.
struct ControlSocket: ~Copyable {
    let path: String
    private let descriptor: Int32

    /// Octets of the longest path that is used as it is (`sun_path` of unix(7), less its NUL).
    static let maximumPath = 107

    init(_ directory: DataDirectory) throws(FileFailure) {
        if directory.controlSocket.utf8.count <= ControlSocket.maximumPath {
            path = directory.controlSocket
            descriptor = -1
            return
        }
        let descriptor = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw FileFailure("cannot open \(directory.path): \(String(cString: strerror(errno)))")
        }
        self.descriptor = descriptor
        path = "/proc/self/fd/\(descriptor)/control.sock"
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}
