internal import MartletBytes

/// OK, NO and BAD (RFC 9051 §7.1).
public enum ResponseStatus: Sendable, Equatable {
    case ok
    case no
    case bad
}

/// Untagged conditions (RFC 9051 §7.1).
public enum ConditionStatus: Sendable, Equatable {
    case ok
    case no
    case bad
    case preAuth
    case bye
}

extension ResponseWriter {
    /// `tag OK text`
    public mutating func tagged(_ tag: String, _ status: ResponseStatus, _ text: String) {
        tagged(tag, status, nil, text)
    }

    /// `* OK text`
    public mutating func untagged(_ status: ConditionStatus, _ text: String) { untagged(status, nil, text) }

    /// `tag OK [CODE] text`
    public mutating func tagged(_ tag: String, _ status: ResponseStatus, _ code: ResponseCode?, _ text: String) {
        ascii(tag)
        switch status {
        case .ok: self.text(" OK ")
        case .no: self.text(" NO ")
        case .bad: self.text(" BAD ")
        }
        responseText(code, text)
    }

    /// `* OK [CODE] text`
    public mutating func untagged(_ status: ConditionStatus, _ code: ResponseCode?, _ text: String) {
        switch status {
        case .ok: self.text("* OK ")
        case .no: self.text("* NO ")
        case .bad: self.text("* BAD ")
        case .preAuth: self.text("* PREAUTH ")
        case .bye: self.text("* BYE ")
        }
        responseText(code, text)
    }

    private mutating func responseText(_ code: ResponseCode?, _ text: String) {
        if let code {
            self.code(code)
            bytes.append(0x20)
        }
        // resp-text wants at least one character (RFC 9051 §9).
        humanText(text.isEmpty ? "-" : text, isFirst: code == nil)
        crlf()
    }

    /// `+ text`: the client may go on with its literal or with IDLE.
    public mutating func continuation(_ text: String = "go on") {
        bytes.append(0x2B)
        bytes.append(0x20)
        humanText(text, isFirst: true)
        crlf()
    }

    /// `+ base64`: a challenge of AUTHENTICATE, `+ ` when empty (RFC 9051 §6.2.2).
    public mutating func continuation(challenge: [UInt8]) {
        bytes.append(0x2B)
        bytes.append(0x20)
        bytes.append(contentsOf: Base64.encode(challenge))
        crlf()
    }

    /// The answer to bytes that are no command, in one place (RFC 9051 §7.1).
    public mutating func answer(_ error: CommandParseError) {
        let (status, code): (ResponseStatus, ResponseCode?) =
            switch error.reason {
            case .badCharset: (.no, .badCharset(["US-ASCII", "UTF-8"]))
            case .mailboxName: (.no, .cannot)
            case .unknownUse: (.no, .useAttr)
            case .limit: (.no, .limit)
            default: (.bad, nil)
            }
        if let tag = error.tag {
            tagged(tag, status, code, error.publicText)
        } else {
            untagged(.bad, nil, error.publicText)
        }
    }
}

extension CommandParseError {
    /// For the client: what is wrong, and where.
    public var publicText: String {
        let what =
            switch reason {
            case .missingTag: "a command begins with a tag and a space"
            case .unknownCommand: "unknown command"
            case .expected(let expected):
                switch expected {
                case .space: "expected a space"
                case .atom: "expected an atom"
                case .string: "expected a string"
                case .number: "expected a number"
                case .list: "expected ("
                case .listEnd: "expected a space or )"
                case .literal: "expected a literal"
                case .mailbox: "expected a mailbox name"
                case .sequenceSet: "expected message numbers"
                case .date: "expected a date"
                case .section: "expected a section of a message"
                case .searchKey: "expected a search key"
                case .endOfCommand: "expected the end of the command"
                }
            case .numberOutOfRange: "number out of range"
            case .invalidDate: "not a date"
            case .invalidUTF8: "not UTF-8"
            case .invalidBase64: "not base64"
            case .unknownFlag: "unknown system flag"
            case .unknownItem: "unknown item or option"
            case .recursiveMatchAlone: "RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it"
            case .forbiddenOctet: "NUL, CR or LF inside a string"
            case .mailboxName: "not a mailbox name"
            case .badCharset: "charset not supported"
            case .charsetForbidden: "no CHARSET after ENABLE UTF8=ACCEPT: texts are UTF-8"
            case .unknownUse: "no such use of a mailbox is known here"
            case .limit(let name): "over the limit \(name.rawValue)"
            case .trailingData: "data behind the command"
            }
        return "\(what) (at octet \(offset))"
    }
}
