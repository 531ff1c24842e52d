internal import Glibc

/// A database that is its owner's alone. SQLite makes its files readable for all that the umask allows, and gives the files beside a
/// database the database's own mode.
enum PrivateFile {
    private static let mode: mode_t = 0o600

    /// Makes the file where there is none, and takes others' rights to it and to its log away. What fails is found when the database
    /// is opened.
    static func make(_ path: String) {
        let descriptor = open(path, O_CREAT | O_RDWR | O_CLOEXEC, mode)
        if descriptor >= 0 { close(descriptor) }
        for name in [path, path + "-wal", path + "-shm"] { chmod(name, mode) }
    }
}
