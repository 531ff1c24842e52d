internal import MartletCore
internal import MessageFormat
internal import Records
internal import SMTPProtocol

/// The trace that a server adds: Received at the top (RFC 5321 §4.4), Return-Path and Delivered-To at delivery.
struct TraceFields {
    var role: SMTPServerSession.Role
    var clientName: String
    var usesExtensions: Bool
    var peerAddress: String
    var tls: TLSParameters?
    var isAuthenticated: Bool
    var usesSMTPUTF8: Bool
    var hostname: String
    var code: LookupCode
    /// Named in `for` when it is the only one: others' addresses are nobody's business (RFC 5321 §7.2).
    var onlyRecipient: String?
    var now: Instant

    /// The Received field with its CRLFs.
    var received: [UInt8] {
        // A Unix socket has no address to put in brackets.
        var text = "Received: from \(shownName) (\(peerAddress == "local" ? "local socket" : "[\(literal)]"))\r\n"
        if let tls { text += "\t(using \(tls.version) with cipher \(tls.cipher))\r\n" }
        text += "\tby \(hostname) (Martlet) with \(protocolName) id \(code)"
        if let onlyRecipient { text += "\r\n\tfor <\(onlyRecipient)>" }
        text += ";\r\n\t\(MailDate(instant: now).description)\r\n"
        return Array(text.utf8)
    }

    /// RFC 3848 and RFC 6531 §4.3: which protocol, with S for TLS and A for a login.
    var protocolName: String {
        let base: String
        switch role {
        case .lmtp: base = usesSMTPUTF8 ? "UTF8LMTP" : "LMTP"
        case .relay, .submission:
            guard usesExtensions else { return "SMTP" }
            base = usesSMTPUTF8 ? "UTF8SMTP" : "ESMTP"
        }
        return base + (tls == nil ? "" : "S") + (isAuthenticated ? "A" : "")
    }

    /// RFC 5321 §4.1.3.
    private var literal: String { peerAddress.contains(":") ? "IPv6:\(peerAddress)" : peerAddress }

    /// The name as given when it is one; anything may stand in EHLO, and a header field is no place for it.
    private var shownName: String {
        if let domain = Domain(clientName) { return domain.ascii }
        let isLiteral =
            clientName.hasPrefix("[") && clientName.hasSuffix("]")
            && clientName.utf8.dropFirst().dropLast().allSatisfy {
                (0x30...0x3A).contains($0) || (0x41...0x5A).contains($0 & 0xDF) || $0 == 0x2E
            }
        return isLiteral ? clientName : "unknown"
    }
}
