internal import MartletBytes

/// A zone in master-file format (RFC 1035 §5.1), with `$TTL` (RFC 2308 §4). `$INCLUDE` is refused: nothing is opened here.
public struct ZoneFile: Sendable, Hashable {
    /// Octets of the largest file.
    public static let maximumSize = 16 << 20
    /// Mistakes that are told before the rest is left.
    public static let maximumErrors = 50
    /// The TTL where neither the record, nor `$TTL`, nor a record before says one.
    public static let defaultTTL: UInt32 = 3_600

    /// In the order of the file.
    public var records: [DNSRecord]

    /// - Parameters:
    ///   - bytes: the file's content.
    ///   - origin: what relative names are below until `$ORIGIN` says another; the root when the file is to say all.
    /// - Throws: every mistake, with its line.
    public static func parse(_ bytes: [UInt8], origin: DNSName = .root) throws(ZoneFileErrors) -> ZoneFile {
        guard bytes.count <= maximumSize else {
            throw ZoneFileErrors(errors: [
                ZoneFileError(line: 1, problem: "the file is larger than \(maximumSize) octets")
            ])
        }
        var reader = Reader(origin: origin)
        var scanner = ZoneFileScanner(bytes)
        var errors: [ZoneFileError] = []
        while errors.count < maximumErrors {
            do throws(ZoneFileError) {
                guard let entry = try scanner.next() else { break }
                try reader.take(entry)
            } catch {
                errors.append(error)
            }
        }
        guard errors.isEmpty else { throw ZoneFileErrors(errors: errors) }
        return ZoneFile(records: reader.records)
    }

    /// What an entry depends on of those before it.
    private struct Reader {
        var origin: DNSName
        var owner: DNSName?
        var ttl: UInt32?
        var records: [DNSRecord] = []

        init(origin: DNSName) { self.origin = origin }

        mutating func take(_ entry: ZoneFileScanner.Entry) throws(ZoneFileError) {
            var words = entry.words[...]
            if !entry.startsWithBlank, let first = words.first, !first.isQuoted, first.text.first == UInt8(ascii: "$") {
                return try control(first, words.dropFirst(), line: entry.line)
            }
            if entry.startsWithBlank {
                guard owner != nil else {
                    throw ZoneFileError(line: entry.line, problem: "the first record has no owner")
                }
            } else if let first = words.popFirst() {
                owner = try RecordDataReader.name(first, origin: origin)
            }
            var ownTTL: UInt32?
            var hasClass = false
            while let word = words.first, !word.isQuoted {
                if ownTTL == nil, let first = word.text.first, ASCII.isDigit(first),
                    let seconds = RecordDataReader.seconds(word.text)
                {
                    ownTTL = seconds
                } else if !hasClass, ASCII.equalsIgnoringCase(word.text, Array("in".utf8)) {
                    hasClass = true
                } else {
                    break
                }
                words.removeFirst()
            }
            guard let owner, let word = words.popFirst() else {
                throw ZoneFileError(line: entry.line, problem: "the record has no type")
            }
            guard !word.isQuoted, let type = DNSRecordType(name: String(decoding: word.text, as: UTF8.self)) else {
                let known = DNSRecordType.allCases.map(\.name).joined(separator: ", ")
                throw ZoneFileError(
                    line: word.line,
                    problem: "“\(RecordDataReader.told(word))” is no type of record that is known here: \(known)")
            }
            let data = try RecordDataReader.read(type, words, origin: origin, line: entry.line)
            if case .soa(let authority) = data, ttl == nil { ttl = ownTTL ?? authority.minimum }
            records.append(DNSRecord(name: owner, ttl: ownTTL ?? ttl ?? ZoneFile.defaultTTL, data: data))
        }

        private mutating func control(
            _ word: ZoneFileScanner.Word, _ fields: ArraySlice<ZoneFileScanner.Word>, line: Int
        ) throws(ZoneFileError) {
            let name = String(decoding: word.text.map { ASCII.uppercased($0) }, as: UTF8.self)
            switch name {
            case "$ORIGIN":
                guard fields.count == 1, let field = fields.first else {
                    throw ZoneFileError(line: line, problem: "$ORIGIN takes one name")
                }
                origin = try RecordDataReader.name(field, origin: origin)
            case "$TTL":
                guard fields.count == 1, let field = fields.first, let seconds = RecordDataReader.seconds(field.text)
                else {
                    throw ZoneFileError(line: line, problem: "$TTL takes one number of seconds, or a time such as 1h")
                }
                ttl = seconds
            case "$INCLUDE":
                throw ZoneFileError(line: line, problem: "$INCLUDE is not followed; give both files")
            default:
                throw ZoneFileError(
                    line: line, problem: "“\(RecordDataReader.told(word))” is not known: $ORIGIN and $TTL are")
            }
        }
    }
}

/// One mistake in a zone file.
public struct ZoneFileError: Error, Sendable, Hashable, CustomStringConvertible {
    /// From 1.
    public let line: Int
    /// A sentence; text of the file in it is not escaped.
    public let problem: String
    public var description: String { "line \(line): \(problem)" }
}

/// All mistakes of a zone file, in the order of its lines.
public struct ZoneFileErrors: Error, Sendable, Hashable {
    public let errors: [ZoneFileError]
}
