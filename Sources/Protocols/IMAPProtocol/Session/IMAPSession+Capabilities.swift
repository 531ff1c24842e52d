extension IMAPSession {
    /// Mechanisms that send the password itself.
    static let plaintextMechanisms: Set<String> = ["PLAIN", "LOGIN"]

    /// Whether passwords may be sent as they are: LOGIN, AUTHENTICATE PLAIN and LOGIN (RFC 9051 §11.1).
    public var allowsPlaintext: Bool { isTLS || policy.allowsPlaintextWithoutTLS }

    /// Mechanisms that can be used now. `…-PLUS` needs a channel to bind to.
    public var mechanisms: [String] {
        policy.mechanisms.filter {
            (allowsPlaintext || !IMAPSession.plaintextMechanisms.contains($0)) && (isTLS || !$0.hasSuffix("-PLUS"))
        }
    }

    /// The capability list for the state (RFC 9051 §7.2.2), for CAPABILITY and for the response code of greeting and login.
    public var capabilities: [String] {
        var names = ["IMAP4rev1", "IMAP4rev2", "SASL-IR", "LITERAL+", "ID", "ENABLE"]
        if state == .notAuthenticated {
            if policy.offersStartTLS, !isTLS { names.append("STARTTLS") }
            if !allowsPlaintext { names.append("LOGINDISABLED") }
            names += mechanisms.map { "AUTH=" + $0 }
            return names
        }
        names += IMAPSession.authenticatedCapabilities
        if let limit = policy.appendLimit { names.append("APPENDLIMIT=\(limit)") } else { names.append("APPENDLIMIT") }
        return names
    }

    /// What a client can use once it is logged in.
    static let authenticatedCapabilities = [
        "NAMESPACE", "IDLE", "UNSELECT", "UIDPLUS", "MOVE", "CHILDREN", "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE",
        "CREATE-SPECIAL-USE",
        "STATUS=SIZE", "ESEARCH", "SEARCHRES", "BINARY", "CONDSTORE", "MULTIAPPEND", "WITHIN", "UTF8=ACCEPT",
    ]
}
