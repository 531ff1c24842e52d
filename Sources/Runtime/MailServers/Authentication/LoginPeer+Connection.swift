public import NetworkTransport

extension LoginPeer {
    /// The peer of `connection`, as it is now: before the handshake without TLS. On the connection's event loop.
    public init(_ connection: Connection) {
        self.init(
            address: connection.peerAddress, isLoopback: connection.isLoopback, tls: connection.tls,
            channelBinding: connection.channelBinding, service: connection.service)
    }
}
