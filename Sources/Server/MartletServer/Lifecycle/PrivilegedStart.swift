internal import Glibc
internal import Synchronization

/// What has to be done as root when a server starts, and the end of being root: ports are bound, the data directory is made,
/// then the process is `server.user` (Docs/decisions/0010-privileges.md).
///
/// To be called by the process's first thread, before there is another. With the first `await` that thread ends and stays as
/// a shell without code, in whose rights the process is shown; no later call reaches it.
package enum PrivilegedStart {
    private static let sockets = Mutex<BoundSockets?>(nil)

    /// Nothing is done when the process is to stay who it is.
    package static func begin(_ configuration: Configuration) throws(ServerFailure) {
        guard let user = try Privileges.user(configuration.server.user) else { return }
        umask(0o077)
        let busy = PortCheck.problems(with: configuration.listeners)
        guard busy.isEmpty else { throw ServerFailure(.configuration, busy) }
        let bound = try BoundSockets(configuration.listeners)
        do throws(FileFailure) {
            try DataOwnership.prepare(DataDirectory(configuration.server.dataDirectory), for: user)
        } catch {
            throw ServerFailure(.configuration, [error.description])
        }
        try Privileges.become(user)
        sockets.withLock { $0 = bound }
    }

    /// The sockets, once; nil when nothing had to be done.
    static func takeSockets() -> BoundSockets? {
        sockets.withLock { sockets in
            defer { sockets = nil }
            return sockets
        }
    }
}
