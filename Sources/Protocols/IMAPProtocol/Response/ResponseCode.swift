/// What stands in brackets after OK, NO, BAD and BYE (RFC 9051 §7.1, RFC 5530, RFC 4315, RFC 7162, RFC 5182, RFC 6154).
public enum ResponseCode: Sendable, Equatable {
    case alert
    case alreadyExists
    case appendUID(uidValidity: UInt32, uids: [UInt32])
    case authenticationFailed
    case authorizationFailed
    case badCharset([String])
    case cannot
    case capability([String])
    case clientBug
    case closed
    case contactAdmin
    /// Both ascending, in corresponding order.
    case copyUID(uidValidity: UInt32, source: [UInt32], destination: [UInt32])
    case corruption
    case expired
    case expungeIssued
    case hasChildren
    case highestModSeq(UInt64)
    case inUse
    case limit
    /// Sequence numbers or UIDs, as the command was written (RFC 7162 §3.1.3). Ascending.
    case modified([UInt32])
    case noModSeq
    case nonExistent
    case noPerm
    case notSaved
    case overQuota
    case parse
    /// The flags a client can set for good; `\*` says that keywords can be made (RFC 9051 §7.1).
    case permanentFlags(SystemFlags, keywords: [String], allowsNewKeywords: Bool)
    case privacyRequired
    case readOnly
    case readWrite
    case serverBug
    case tooBig
    case tryCreate
    case uidNext(UInt32)
    case uidNotSticky
    case uidValidity(UInt32)
    case unavailable
    case unknownCTE
    /// RFC 3501 only: sequence number of the first unseen message.
    case unseen(UInt32)
    case useAttr
}

extension ResponseWriter {
    /// `[CODE …]`
    mutating func code(_ code: ResponseCode) {
        bytes.append(0x5B)
        switch code {
        case .alert: text("ALERT")
        case .alreadyExists: text("ALREADYEXISTS")
        case .appendUID(let uidValidity, let uids):
            text("APPENDUID ")
            number(uidValidity)
            bytes.append(0x20)
            numberSet(uids)
        case .authenticationFailed: text("AUTHENTICATIONFAILED")
        case .authorizationFailed: text("AUTHORIZATIONFAILED")
        case .badCharset(let charsets):
            text("BADCHARSET (")
            words(charsets)
            bytes.append(0x29)
        case .cannot: text("CANNOT")
        case .capability(let names):
            text("CAPABILITY ")
            words(names)
        case .clientBug: text("CLIENTBUG")
        case .closed: text("CLOSED")
        case .contactAdmin: text("CONTACTADMIN")
        case .copyUID(let uidValidity, let source, let destination):
            text("COPYUID ")
            number(uidValidity)
            bytes.append(0x20)
            numberSet(source)
            bytes.append(0x20)
            numberSet(destination)
        case .corruption: text("CORRUPTION")
        case .expired: text("EXPIRED")
        case .expungeIssued: text("EXPUNGEISSUED")
        case .hasChildren: text("HASCHILDREN")
        case .highestModSeq(let value):
            text("HIGHESTMODSEQ ")
            number(value)
        case .inUse: text("INUSE")
        case .limit: text("LIMIT")
        case .modified(let numbers):
            text("MODIFIED ")
            numberSet(numbers)
        case .noModSeq: text("NOMODSEQ")
        case .nonExistent: text("NONEXISTENT")
        case .noPerm: text("NOPERM")
        case .notSaved: text("NOTSAVED")
        case .overQuota: text("OVERQUOTA")
        case .parse: text("PARSE")
        case .permanentFlags(let system, let keywords, let allowsNewKeywords):
            text("PERMANENTFLAGS (")
            var isFirst = true
            flagNames(system, keywords: keywords, isFirst: &isFirst)
            if allowsNewKeywords { text(isFirst ? "\\*" : " \\*") }
            bytes.append(0x29)
        case .privacyRequired: text("PRIVACYREQUIRED")
        case .readOnly: text("READ-ONLY")
        case .readWrite: text("READ-WRITE")
        case .serverBug: text("SERVERBUG")
        case .tooBig: text("TOOBIG")
        case .tryCreate: text("TRYCREATE")
        case .uidNext(let value):
            text("UIDNEXT ")
            number(value)
        case .uidNotSticky: text("UIDNOTSTICKY")
        case .uidValidity(let value):
            text("UIDVALIDITY ")
            number(value)
        case .unavailable: text("UNAVAILABLE")
        case .unknownCTE: text("UNKNOWN-CTE")
        case .unseen(let value):
            text("UNSEEN ")
            number(value)
        case .useAttr: text("USEATTR")
        }
        bytes.append(0x5D)
    }

    mutating func words(_ words: [String]) {
        for (index, word) in words.enumerated() {
            if index > 0 { bytes.append(0x20) }
            ascii(word)
        }
    }

    mutating func flagNames(_ system: SystemFlags, keywords: [String], isFirst: inout Bool) {
        func space(_ writer: inout ResponseWriter) {
            if !isFirst { writer.bytes.append(0x20) }
            isFirst = false
        }
        let names: [(SystemFlags, StaticString)] = [
            (.answered, "\\Answered"), (.flagged, "\\Flagged"), (.deleted, "\\Deleted"), (.seen, "\\Seen"),
            (.draft, "\\Draft"),
        ]
        for (flag, name) in names where system.contains(flag) {
            space(&self)
            text(name)
        }
        for keyword in keywords {
            space(&self)
            ascii(keyword)
        }
    }
}
