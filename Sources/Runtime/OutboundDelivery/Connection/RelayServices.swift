public import NIOCore
public import NetworkTransport
public import SMTPProtocol

/// What all connections to other servers share.
public struct RelayServices: Sendable {
    public struct Timeouts: Sendable, Hashable {
        /// Of the TCP connection.
        public var connect = Duration.seconds(30)
        /// Of each answer.
        public var session = SMTPClientTimeouts()
        /// Of a whole transaction, however quickly each of its answers comes.
        public var transaction = Duration.seconds(3_600)
        public init() {}
    }

    public var group: any EventLoopGroup
    /// For `.required` and `.requiredVerified`.
    public var tls: ClientTLS
    /// For `.opportunistic`, where old versions are better than none.
    public var opportunisticTLS: ClientTLS
    public var timeouts: Timeouts
    public var limits: SMTPClientLimits
    /// Makes an 8-bit message 7-bit (RFC 6152 §3); nil when that cannot be.
    public var makeSevenBit: @Sendable ([UInt8]) -> [UInt8]?
    /// Octets of a message that is made 7-bit: it is in memory as a whole.
    public var maximumConvertedMessage = 100_000_000

    public init(
        group: any EventLoopGroup, tls: ClientTLS, opportunisticTLS: ClientTLS, timeouts: Timeouts = Timeouts(),
        limits: SMTPClientLimits = SMTPClientLimits(), makeSevenBit: @escaping @Sendable ([UInt8]) -> [UInt8]?
    ) {
        self.group = group
        self.tls = tls
        self.opportunisticTLS = opportunisticTLS
        self.timeouts = timeouts
        self.limits = limits
        self.makeSevenBit = makeSevenBit
    }
}
