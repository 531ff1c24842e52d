internal import MartletBytes
public import MartletCore

/// A command of a client (RFC 1939, 2449, 2595, 5034, 6856).
public enum POP3Command: Sendable, Hashable {
    case capa
    case stls
    case user(String)
    case pass(Secret)
    /// `AUTH mechanism [initial-response]`; `=` is an empty response (RFC 5034 §4).
    case auth(mechanism: String, initialResponse: [UInt8]?)
    /// `AUTH` alone: which mechanisms are there?
    case authList
    case utf8
    case stat
    case list(Int?)
    case uidl(Int?)
    case retr(Int)
    /// Message and lines of its body.
    case top(Int, lines: Int)
    case dele(Int)
    case noop
    case rset
    case quit

    /// What is wrong with a line, as the client is told.
    public enum Malformed: Error, Sendable, Hashable {
        case tooLong
        case unknown
        /// The argument is missing, of the wrong kind, or one too many.
        case arguments
        /// The name or the initial response cannot be read.
        case encoding
    }

    /// Reads a line without its end. Keywords are read in any case, arguments stand behind one space (RFC 1939 §3).
    public init(_ line: [UInt8]) throws(Malformed) {
        let space = line.firstIndex(of: ASCII.space)
        let keyword = String(
            decoding: line[..<(space ?? line.count)].prefix(16).map { ASCII.uppercased($0) }, as: UTF8.self)
        let rest = space.map { line[($0 + 1)...] } ?? []
        guard keyword == "AUTH" || line.count <= POP3Limits.commandLine else { throw .tooLong }
        switch keyword {
        case "USER":
            // A name may hold spaces; the line's last ones are a client's mistake.
            let name = rest.drop { $0 == ASCII.space }.reversed().drop { $0 == ASCII.space }.reversed()
            guard !name.isEmpty, name.count <= POP3Limits.userName else { throw .arguments }
            guard name.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), let text = String(validating: name, as: UTF8.self)
            else { throw .encoding }
            self = .user(text)
        case "PASS":
            // RFC 1939 §7: spaces are part of the password.
            guard !rest.isEmpty else { throw .arguments }
            self = .pass(Secret(Array(rest)))
        case "AUTH":
            self = try POP3Command.auth(rest)
        default:
            self = try POP3Command.plain(keyword, rest.split(separator: ASCII.space))
        }
    }

    private static func plain(_ keyword: String, _ arguments: [ArraySlice<UInt8>]) throws(Malformed) -> POP3Command {
        let allowed: ClosedRange<Int>
        switch keyword {
        case "CAPA", "STLS", "UTF8", "STAT", "NOOP", "RSET", "QUIT": allowed = 0...0
        case "LIST", "UIDL": allowed = 0...1
        case "RETR", "DELE": allowed = 1...1
        case "TOP": allowed = 2...2
        default: throw .unknown
        }
        guard allowed.contains(arguments.count) else { throw .arguments }
        var numbers: [Int] = []
        for argument in arguments {
            guard let number = ASCII.number(argument, limit: UInt64(Int32.max)) else { throw .arguments }
            numbers.append(Int(number))
        }
        switch keyword {
        case "CAPA": return .capa
        case "STLS": return .stls
        case "UTF8": return .utf8
        case "STAT": return .stat
        case "NOOP": return .noop
        case "RSET": return .rset
        case "QUIT": return .quit
        case "LIST": return .list(numbers.first)
        case "UIDL": return .uidl(numbers.first)
        case "RETR": return .retr(numbers[0])
        case "DELE": return .dele(numbers[0])
        default: return .top(numbers[0], lines: numbers[1])
        }
    }

    private static func auth(_ rest: ArraySlice<UInt8>) throws(Malformed) -> POP3Command {
        let arguments = rest.split(separator: ASCII.space)
        guard arguments.count <= 2 else { throw .arguments }
        guard let first = arguments.first else { return .authList }
        // RFC 4422 §3.1: 1 to 20 characters.
        guard first.count <= 20, first.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw .arguments }
        let mechanism = String(decoding: first, as: UTF8.self)
        guard arguments.count == 2 else { return .auth(mechanism: mechanism, initialResponse: nil) }
        if arguments[1].elementsEqual("=".utf8) { return .auth(mechanism: mechanism, initialResponse: []) }
        guard let response = Base64.decode(arguments[1]) else { throw .encoding }
        return .auth(mechanism: mechanism, initialResponse: response)
    }
}
