internal import NIOCore
internal import NIOPosix
internal import NIOSSL

#if canImport(Glibc)
    internal import Glibc
#endif

/// Errors of sockets and TLS as one line for records.
enum TransportErrorText {
    static func of(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError: error.connectionErrors.first.map { of($0.error) } ?? "no connection"
        case let error as IOError: system(error.errnoCode)
        case ChannelError.connectTimeout: "no answer in time"
        case NIOSSLError.handshakeFailed(let reason): handshake(reason)
        case let error as BoringSSLError: handshake(error)
        case let error as NIOSSLExtraError: error.description
        default: String("\(error)".prefix(200))
        }
    }

    private static func system(_ code: CInt) -> String {
        switch code {
        case ECONNREFUSED: "connection refused"
        case EHOSTUNREACH, ENETUNREACH: "no route"
        case ETIMEDOUT: "no answer in time"
        case ECONNRESET: "connection reset"
        case EADDRNOTAVAIL: "the local address is not this machine's"
        default: "error \(code)"
        }
    }

    /// The library's reason, such as `WRONG_VERSION_NUMBER`, out of `error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER at …`.
    private static func handshake(_ error: BoringSSLError) -> String {
        switch error {
        case .sslError(let stack), .unknownError(let stack):
            let words = stack.map { error in
                let text = "\(error)"
                let reason = text.components(of: ":").last.map(String.init) ?? text
                return reason.components(of: " ").first.map(String.init) ?? reason
            }
            return words.isEmpty ? "the handshake failed" : String(words.joined(separator: ", ").prefix(200))
        case .zeroReturn, .syscallError: return "the connection was lost in the handshake"
        default: return String("\(error)".prefix(200))
        }
    }
}

extension String {
    fileprivate func components(of separator: Character) -> [Substring] { split(separator: separator) }
}
