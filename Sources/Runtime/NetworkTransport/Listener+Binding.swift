internal import Glibc
package import NIOCore
package import NIOPosix

extension Listener.Endpoint {
    /// Listens here.
    /// - Parameters:
    ///   - bootstrap: with everything but the address. For an IPv6 address it comes to take IPv6 only.
    ///   - boundSocket: as in `Listener.Options`.
    ///   - backlog: connections that wait to be accepted.
    /// - Throws: `BindError` naming this endpoint.
    package func bind(
        _ bootstrap: ServerBootstrap, boundSocket: (@Sendable (Listener.Endpoint) -> CInt?)?, backlog: CInt
    ) async throws(BindError) -> any Channel {
        do {
            switch self {
            case .internet(let host, let port):
                if let descriptor = boundSocket?(self) {
                    let channel = try await bootstrap.withBoundSocket(descriptor).get()
                    // NIO listens with a backlog of its own; to listen again changes that (listen(2)).
                    _ = listen(descriptor, backlog)
                    return channel
                }
                var bootstrap = bootstrap
                if host.contains(":") {
                    // 0.0.0.0 and [::] are listened on side by side: an IPv6 socket takes IPv6 only.
                    let only = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
                    bootstrap = bootstrap.serverChannelOption(only, value: 1)
                }
                // By address: a resolver leaves out IPv6 where ::1 is all there is of it.
                return try await bootstrap.bind(to: try SocketAddress(ipAddress: host, port: port)).get()
            case .unix(let path):
                return try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            }
        } catch {
            if let error = error as? IOError { throw BindError(self, errno: error.errnoCode) }
            throw BindError(endpoint: self, reason: "\(error)")
        }
    }
}
