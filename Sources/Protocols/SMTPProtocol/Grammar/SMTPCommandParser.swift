internal import MartletBytes
internal import MartletCore

/// Reads one command line, without its CRLF (RFC 5321 §4.1.1, RFC 1870, 3030, 3461, 4954, 6152, 6531).
public struct SMTPCommandParser: Sendable {
    private let limits: SMTPLimits

    public init(limits: SMTPLimits) { self.limits = limits }

    /// - Parameter line: one line without its CRLF; at most `SMTPLimits` long, which the session sees to.
    /// - Throws: the reply that the line gets.
    public func parse(_ line: some Collection<UInt8>) throws(SMTPSyntaxError) -> SMTPCommand {
        let line = Array(line)
        let verbEnd = line.firstIndex(of: ASCII.space) ?? line.count
        let verb = String(decoding: line[..<verbEnd].prefix(16).map { ASCII.uppercased($0) }, as: UTF8.self)
        let rest = Self.trimmed(line[verbEnd...])
        switch verb {
        case "HELO": return .helo(try hello(rest))
        case "EHLO": return .ehlo(try hello(rest))
        case "LHLO": return .lhlo(try hello(rest))
        case "MAIL":
            do throws(SMTPSyntaxError) { return try mail(rest) } catch {
                var error = error
                error.path = .sender(Self.told(rest))
                throw error
            }
        case "RCPT":
            do throws(SMTPSyntaxError) { return try recipient(rest) } catch {
                var error = error
                error.path = .recipient(Self.told(rest))
                throw error
            }
        case "DATA": return try bare(rest, .data)
        case "BDAT": return try chunk(rest)
        case "RSET": return try bare(rest, .rset)
        // RFC 5321 §4.1.1.9: NOOP's argument is ignored; HELP, VRFY and EXPN are answered whatever they ask.
        case "NOOP": return .noop
        case "VRFY": return .vrfy
        case "EXPN": return .expn
        case "HELP": return .help
        case "QUIT": return try bare(rest, .quit)
        case "STARTTLS": return try bare(rest, .startTLS)
        case "AUTH": return try authentication(rest)
        case "GET", "POST", "PUT", "CONNECT", "OPTIONS":
            // A browser that was made to talk to us: its body must not be read as commands.
            var error = SMTPSyntaxError(500, EnhancedStatus(5, 5, 1), "This is a mail server")
            error.losesFraming = true
            throw error
        default: throw SMTPSyntaxError(500, EnhancedStatus(5, 5, 1), "Command not recognized")
        }
    }

    private func bare(_ rest: ArraySlice<UInt8>, _ command: SMTPCommand) throws(SMTPSyntaxError) -> SMTPCommand {
        guard rest.isEmpty else { throw .arguments("This command takes no arguments") }
        return command
    }

    /// A name or an address literal; whatever is printable is taken and recorded (RFC 5321 §4.1.4: not verified).
    private func hello(_ rest: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> String {
        guard !rest.isEmpty, rest.count <= 255, rest.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw .arguments("Give your host name, such as EHLO mail.example.net")
        }
        guard let text = String(validating: rest, as: UTF8.self) else { throw .arguments("The host name is not UTF-8") }
        return text
    }

    private func mail(_ rest: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> SMTPCommand {
        let (path, tail) = try path(rest, keyword: "from:")
        var parameters = MailParameters()
        for (name, value) in try self.parameters(tail) {
            switch name {
            case "SIZE":
                // RFC 1870 §6: up to 20 digits; what no integer of ours holds is too large in any case.
                guard let value, !value.isEmpty, value.count <= 20, value.allSatisfy({ ASCII.isDigit($0) }) else {
                    throw .arguments("SIZE wants a number of octets")
                }
                parameters.size = ASCII.number(value, limit: UInt64(Int.max)).map { Int($0) } ?? Int.max
            case "BODY":
                let text = value.map { String(decoding: $0.map { ASCII.uppercased($0) }, as: UTF8.self) }
                guard let text, let body = BodyType(rawValue: text) else {
                    throw .arguments("BODY is 7BIT, 8BITMIME or BINARYMIME")
                }
                parameters.body = body
            case "SMTPUTF8":
                guard value == nil else { throw .arguments("SMTPUTF8 takes no value") }
                parameters.usesSMTPUTF8 = true
            case "RET": parameters.returnContent = try NotificationParameters.returnContent(value)
            case "ENVID": parameters.envelopeID = try NotificationParameters.envelopeID(value)
            case "AUTH":
                // RFC 4954 §5: taken from anybody, trusted from nobody.
                guard let value, !value.isEmpty else { throw .arguments("AUTH wants an address or <>") }
            default:
                throw SMTPSyntaxError(555, EnhancedStatus(5, 5, 4), "Parameter \(name) is not known here")
            }
        }
        if path.isEmpty { return .mail(.null, parameters) }
        return .mail(.address(try address(path, usesSMTPUTF8: parameters.usesSMTPUTF8, isSender: true)), parameters)
    }

    private func recipient(_ rest: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> SMTPCommand {
        let (path, tail) = try path(rest, keyword: "to:")
        var parameters = RecipientParameters()
        for (name, value) in try self.parameters(tail) {
            switch name {
            case "NOTIFY": parameters.notify = try NotificationParameters.notify(value)
            case "ORCPT": parameters.originalRecipient = try NotificationParameters.originalRecipient(value)
            default: throw SMTPSyntaxError(555, EnhancedStatus(5, 5, 4), "Parameter \(name) is not known here")
            }
        }
        if ASCII.equalsIgnoringCase(path, Array("postmaster".utf8)) {
            return .rcpt(.postmaster, parameters, isEightBit: false)
        }
        guard !path.isEmpty else { throw SMTPSyntaxError(501, EnhancedStatus(5, 1, 3), "A recipient cannot be empty") }
        // Whether 8-bit may stand here is for the session, which knows what MAIL said.
        return .rcpt(
            .address(try address(path, usesSMTPUTF8: true, isSender: false)), parameters,
            isEightBit: path.contains { $0 >= 0x80 })
    }

    private func address(
        _ path: ArraySlice<UInt8>, usesSMTPUTF8: Bool, isSender: Bool
    ) throws(SMTPSyntaxError) -> EmailAddress {
        if !usesSMTPUTF8, path.contains(where: { $0 >= 0x80 }) {
            throw SMTPSyntaxError(553, EnhancedStatus(5, 6, 7), "An address beyond ASCII needs SMTPUTF8")
        }
        guard let text = String(validating: path, as: UTF8.self) else {
            throw SMTPSyntaxError(553, EnhancedStatus(5, 6, 7), "The address is not UTF-8")
        }
        guard let address = EmailAddress(text) else {
            throw SMTPSyntaxError(
                501, EnhancedStatus(5, 1, isSender ? 7 : 3), "This is not an address: local@domain in angle brackets")
        }
        return address
    }

    /// `FROM:<path>` and what follows it. A space behind the colon is let through; a source route is dropped (RFC 5321 §4.1.1.3).
    private func path(
        _ rest: ArraySlice<UInt8>, keyword: StaticString
    ) throws(SMTPSyntaxError) -> (path: ArraySlice<UInt8>, tail: ArraySlice<UInt8>) {
        let word = keyword.description
        let error = SMTPSyntaxError.arguments("Say \(word.uppercased())<address>")
        guard rest.count > word.utf8.count, ASCII.equalsIgnoringCase(rest.prefix(word.utf8.count), Array(word.utf8))
        else { throw error }
        let text = Self.trimmed(rest.dropFirst(word.utf8.count))
        guard text.first == UInt8(ascii: "<") else { throw error }
        var isQuoted = false
        var index = text.startIndex + 1
        while index < text.endIndex {
            let byte = text[index]
            if byte == UInt8(ascii: "\\"), isQuoted {
                index += 1
            } else if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == UInt8(ascii: ">"), !isQuoted {
                let path = Self.withoutRoute(text[(text.startIndex + 1)..<index])
                let tail = text[(index + 1)...]
                guard tail.isEmpty || tail.first == ASCII.space else { throw error }
                return (path, Self.trimmed(tail))
            }
            index += 1
        }
        throw error
    }

    private static func withoutRoute(_ path: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard path.first == UInt8(ascii: "@"), let colon = path.firstIndex(of: UInt8(ascii: ":")) else { return path }
        return path[(colon + 1)...]
    }

    /// `NAME=value` words. Names in upper case.
    private func parameters(_ tail: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> [(
        name: String, value: ArraySlice<UInt8>?
    )] {
        var list: [(String, ArraySlice<UInt8>?)] = []
        for word in tail.split(separator: ASCII.space) {
            guard list.count < limits.maximumParameters else {
                throw SMTPSyntaxError(555, EnhancedStatus(5, 5, 4), "More than \(limits.maximumParameters) parameters")
            }
            let equals = word.firstIndex(of: UInt8(ascii: "="))
            let name = word[..<(equals ?? word.endIndex)]
            let isKeyword =
                !name.isEmpty && name.allSatisfy { ASCII.isLetter($0) || ASCII.isDigit($0) || $0 == UInt8(ascii: "-") }
            guard isKeyword, name.count <= 64 else { throw .arguments("A parameter is NAME or NAME=value") }
            list.append(
                (String(decoding: name.map { ASCII.uppercased($0) }, as: UTF8.self), equals.map { word[($0 + 1)...] }))
        }
        return list
    }

    /// `octets [LAST]` (RFC 3030 §2). Behind what is not understood octets of a message follow that would be read as commands.
    private func chunk(_ rest: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> SMTPCommand {
        let words = rest.split(separator: ASCII.space)
        let isLast = words.count == 2
        guard isLast || words.count == 1, let size = ASCII.number(words[0], limit: UInt64(Int.max)),
            !isLast || ASCII.equalsIgnoringCase(words[1], Array("last".utf8))
        else {
            var error = SMTPSyntaxError.arguments("Say BDAT octets, or BDAT octets LAST")
            error.losesFraming = true
            throw error
        }
        return .bdat(size: Int(size), isLast: isLast)
    }

    private func authentication(_ rest: ArraySlice<UInt8>) throws(SMTPSyntaxError) -> SMTPCommand {
        let words = rest.split(separator: ASCII.space)
        guard words.count == 1 || words.count == 2, words[0].count <= 20 else { throw .arguments("Say AUTH mechanism") }
        let mechanism = String(decoding: words[0].map { ASCII.uppercased($0) }, as: UTF8.self)
        guard words.count == 2 else { return .auth(mechanism: mechanism, initialResponse: nil) }
        // RFC 4954 §4: a lone `=` is an empty initial response.
        if words[1].elementsEqual([UInt8(ascii: "=")]) { return .auth(mechanism: mechanism, initialResponse: []) }
        guard let response = Base64.decode(words[1]) else {
            throw SMTPSyntaxError(501, EnhancedStatus(5, 5, 2), "The initial response is not base 64")
        }
        return .auth(mechanism: mechanism, initialResponse: response)
    }

    /// Octets of a path that a record keeps: the longest address (RFC 5321 §4.5.3.1.3) and its brackets.
    private static let maximumTold = 256

    /// The text between the brackets, as far as there are any, for a record.
    private static func told(_ rest: ArraySlice<UInt8>) -> String {
        var text = rest
        if let open = text.firstIndex(of: UInt8(ascii: "<")) {
            text = text[(open + 1)...]
            if let close = text.firstIndex(of: UInt8(ascii: ">")) { text = text[..<close] }
        }
        return String(decoding: text.prefix(maximumTold), as: UTF8.self)
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let first = bytes.first, ASCII.isSpaceOrTab(first) { bytes.removeFirst() }
        while let last = bytes.last, ASCII.isSpaceOrTab(last) { bytes.removeLast() }
        return bytes
    }
}
