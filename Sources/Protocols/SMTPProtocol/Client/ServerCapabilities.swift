internal import MartletBytes
package import MartletCore

/// What a server's reply to EHLO or LHLO offers (RFC 5321 §4.1.1.1). Nothing of it outlives STARTTLS.
public struct ServerCapabilities: Sendable, Hashable {
    /// The name that the server gives itself, as it is written; empty when it gives none.
    public var serverName = ""
    public var pipelining = false
    /// Octets of the largest message; nil when none is told (RFC 1870 §4: 0 says so too).
    public var maximumSize: Int?
    /// Whether MAIL may tell a size.
    public var size = false
    public var eightBitMIME = false
    public var smtpUTF8 = false
    public var chunking = false
    public var binaryMIME = false
    public var dsn = false
    public var enhancedStatusCodes = false
    public var startTLS = false
    public var requireTLS = false
    /// Recipients that one transaction may have (RFC 9422 §4.2); nil when it is not told.
    public var maximumRecipients: Int?
    /// Transactions that a connection may have (RFC 9422 §4.1); nil when it is not told.
    public var maximumTransactions: Int?

    /// The keywords that mean something here, with their parameters, in a fixed order: for people.
    public var told: [String] {
        var words: [String] = []
        func add(_ word: String, _ isOffered: Bool) { if isOffered { words.append(word) } }
        add("PIPELINING", pipelining)
        add(maximumSize.map { "SIZE \($0)" } ?? "SIZE", size)
        add("8BITMIME", eightBitMIME)
        add("SMTPUTF8", smtpUTF8)
        add("CHUNKING", chunking)
        add("BINARYMIME", binaryMIME)
        add("DSN", dsn)
        add("ENHANCEDSTATUSCODES", enhancedStatusCodes)
        add("STARTTLS", startTLS)
        add("REQUIRETLS", requireTLS)
        return words
    }

    /// What a server has that knows HELO only.
    public init() {}

    package init(reply: SMTPReply) {
        serverName = reply.lines.first.map { String($0.prefix { $0 != " " }) } ?? ""
        for line in reply.lines.dropFirst() { take(Array(line.utf8)) }
    }

    private mutating func take(_ line: [UInt8]) {
        let words = line.split(separator: ASCII.space)
        guard let keyword = words.first else { return }
        switch String(decoding: keyword.map { ASCII.uppercased($0) }, as: UTF8.self) {
        case "PIPELINING": pipelining = true
        case "SIZE":
            size = true
            let value = words.dropFirst().first.flatMap { ASCII.number($0, limit: UInt64(Int.max)) }
            if let value, value > 0 { maximumSize = Int(value) }
        case "8BITMIME": eightBitMIME = true
        case "SMTPUTF8": smtpUTF8 = true
        case "CHUNKING": chunking = true
        case "BINARYMIME": binaryMIME = true
        case "DSN": dsn = true
        case "ENHANCEDSTATUSCODES": enhancedStatusCodes = true
        case "STARTTLS": startTLS = true
        case "REQUIRETLS": requireTLS = true
        case "LIMITS":
            for word in words.dropFirst() { takeLimit(word) }
        default: break
        }
    }

    private mutating func takeLimit(_ word: ArraySlice<UInt8>) {
        let parts = word.split(separator: UInt8(ascii: "="), maxSplits: 1)
        guard parts.count == 2, let value = ASCII.number(parts[1], limit: 1_000_000), value > 0 else { return }
        switch String(decoding: parts[0].map { ASCII.uppercased($0) }, as: UTF8.self) {
        case "RCPTMAX": maximumRecipients = Int(value)
        case "MAILMAX": maximumTransactions = Int(value)
        default: break
        }
    }
}
