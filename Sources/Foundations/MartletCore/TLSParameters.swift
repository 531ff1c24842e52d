/// What a TLS handshake agreed on, for `Received` (RFC 3848, RFC 5321 §4.4) and for the record.
public struct TLSParameters: Sendable, Hashable {
    /// `TLSv1.3`, `TLSv1.2`.
    public var version: String
    /// The cipher suite's IANA name, such as `TLS_AES_128_GCM_SHA256`.
    public var cipher: String
    /// The name that the client asked for by SNI, when it did.
    public var serverName: String?

    public init(version: String, cipher: String, serverName: String? = nil) {
        self.version = version
        self.cipher = cipher
        self.serverName = serverName
    }
}
