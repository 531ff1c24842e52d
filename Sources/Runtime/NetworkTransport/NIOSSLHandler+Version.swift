internal import NIOSSL

extension NIOSSLHandler {
    /// What the handshake agreed on, as `TLSParameters.version` has it.
    var versionName: String {
        switch tlsVersion {
        case .tlsv13: "TLSv1.3"
        case .tlsv12: "TLSv1.2"
        case .tlsv11: "TLSv1.1"
        default: "TLSv1"
        }
    }
}
