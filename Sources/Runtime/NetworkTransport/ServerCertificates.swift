internal import Synchronization

/// All certificates that a server shows: one for everybody, and others for clients that ask for a name of theirs.
public struct ServerCertificates: Sendable {
    private let all: [ServerTLS]
    private let table: CertificateTable

    /// - Parameters:
    ///   - standard: for clients that name nobody, or somebody unknown.
    ///   - others: chosen by their subjectAltName.
    ///   - isLastResort: whether the standard one is shown only where no other is, also for the names that stand in it.
    public init(_ standard: ServerTLS, others: [ServerTLS] = [], isLastResort: Bool = false) {
        all = [standard] + others
        table = CertificateTable(names: [isLastResort ? [] : standard.facts.names] + others.map(\.facts.names))
    }

    /// Whether it depends on the client's words which one is shown.
    var isChoice: Bool { all.count > 1 }

    /// The certificate for a handshake.
    /// - Parameter serverName: from the ClientHello; nil when it named nobody.
    package func chosen(for serverName: String?) -> ServerTLS { all[serverName.flatMap { table.index(for: $0) } ?? 0] }

    /// The one for everybody first.
    public var facts: [CertificateFacts] { all.map(\.facts) }
}

/// The certificates in force. Replacing them, all at once, touches new handshakes only; connections that stand go on.
public final class TLSContextBox: Sendable {
    private let state: Mutex<ServerCertificates>

    public init(_ certificates: ServerCertificates) { state = Mutex(certificates) }
    public convenience init(_ tls: ServerTLS) { self.init(ServerCertificates(tls)) }

    public var current: ServerCertificates { state.withLock { $0 } }
    public func replace(with certificates: ServerCertificates) { state.withLock { $0 = certificates } }

    /// What is known about each certificate that clients are shown now, the one for everybody first: its names, its end.
    public var certificatesInForce: [CertificateFacts] { current.facts }
}
