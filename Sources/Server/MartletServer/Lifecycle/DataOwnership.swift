internal import Foundation
internal import Glibc

/// Whose the files of a data directory are, where root prepares or tends what another user's server works with.
///
/// That user may do with the directory what it likes, also while root works in it: nothing here follows a symbolic link
/// below the directory, and a file with a second name is left alone.
package enum DataOwnership {
    /// Directories within directories; the store has two.
    private static let maximumDepth = 8

    /// Makes a data directory that is missing, for `user` alone, and its parents for everybody to pass through.
    /// - Throws: when what is there belongs to somebody else.
    static func prepare(_ directory: DataDirectory, for user: SystemUser) throws(FileFailure) {
        var status = stat()
        if stat(directory.path, &status) != 0 {
            try makeDirectory(directory.path, mode: 0o700)
            guard chown(directory.path, user.userID, user.groupID) == 0 else {
                throw FileFailure("cannot give \(directory.path) to \(user.name): \(String(cString: strerror(errno)))")
            }
            return
        }
        guard status.st_uid != user.userID else { return }
        throw FileFailure(
            "\(directory.path) belongs to \(SystemUser(userID: status.st_uid)?.name ?? "\(status.st_uid)") and the "
                + "server is to run as \(user.name); if that is right: chown -R \(user.name): \(directory.path)")
    }

    /// Makes a directory with this mode, whatever the umask is; parents that are missing are made for everybody to read.
    /// One that is there stays as it is.
    static func makeDirectory(_ path: String, mode: mode_t) throws(FileFailure) {
        if FileManager.default.fileExists(atPath: path) { return }
        let parent = (path as NSString).deletingLastPathComponent
        if !parent.isEmpty, parent != path { try makeDirectory(parent, mode: 0o755) }
        guard mkdir(path, mode) == 0 || errno == EEXIST, chmod(path, mode) == 0 else {
            throw FileFailure("cannot make the directory \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// After root has worked in a directory that belongs to another user: what root made there becomes that user's.
    static func giveBack(_ directory: DataDirectory) {
        guard Privileges.isRoot else { return }
        var status = stat()
        guard stat(directory.path, &status) == 0, status.st_uid != 0 else { return }
        _ = give(directory, userID: status.st_uid, groupID: status.st_gid)
    }

    /// Gives the directory and all that root owns in it to `user`.
    /// - Returns: how many files and directories have changed hands.
    static func give(_ directory: DataDirectory, to user: SystemUser) -> Int {
        guard Privileges.isRoot else { return 0 }
        return give(directory, userID: user.userID, groupID: user.groupID)
    }

    private static func give(_ directory: DataDirectory, userID: uid_t, groupID: gid_t) -> Int {
        let descriptor = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        var changed = 0
        var status = stat()
        if fstat(descriptor, &status) == 0, status.st_uid == 0, userID != 0 {
            if fchown(descriptor, userID, groupID) == 0 { changed += 1 }
        }
        walk(descriptor, userID, groupID, depth: 0, &changed)
        return changed
    }

    /// Closes `descriptor`.
    private static func walk(_ descriptor: Int32, _ userID: uid_t, _ groupID: gid_t, depth: Int, _ changed: inout Int) {
        guard let stream = fdopendir(descriptor) else {
            close(descriptor)
            return
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            var status = stat()
            guard name != ".", name != "..", fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                continue
            }
            let isDirectory = status.st_mode & S_IFMT == S_IFDIR
            let isOurs = isDirectory || (status.st_mode & S_IFMT != S_IFLNK && status.st_nlink == 1)
            if status.st_uid == 0, userID != 0, isOurs,
                fchownat(descriptor, name, userID, groupID, AT_SYMLINK_NOFOLLOW) == 0
            {
                changed += 1
            }
            guard isDirectory, depth < maximumDepth else { continue }
            let below = openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            if below >= 0 { walk(below, userID, groupID, depth: depth + 1, &changed) }
        }
    }
}
