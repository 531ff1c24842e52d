import Foundation
import MartletCore
import MessageFormat
import Testing

/// mail-parser's cases of single header fields. A case's text is a field's value; what follows its unfolded end is not ours.
@Suite struct MailParserFieldTests {
    struct Case {
        var number: Int
        var header: String
        var expected: Any
    }

    static func cases(_ name: String) throws -> [Case] {
        let list = try #require(try Vectors.json("mime/mail-parser/fields/\(name).json") as? [[String: Any]])
        return list.enumerated().map {
            Case(
                number: $0.offset, header: $0.element["header"] as? String ?? "",
                expected: $0.element["expected"] ?? NSNull())
        }
    }

    /// The value as the walk over a header gives it.
    static func value(_ header: String) -> [UInt8] {
        let message = bytes("X:" + header)
        return message.withUnsafeBytes { buffer in
            var walk = HeaderFields(buffer, in: 0..<buffer.count)
            guard let field = walk.next() else { return [] }
            return walk.unfolded(field)
        }
    }

    // MARK: Addresses

    @Test("addresses", .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func addresses() throws {
        var found: [Difference] = []
        for entry in try Self.cases("address") {
            let expected = Self.addressLines(entry.expected)
            let actual = Self.lines(AddressList.parse(Self.value(entry.header)))
            if expected != actual {
                found.append(
                    .init(
                        place: "address \(entry.number)", expected: expected.joined(separator: "; "),
                        actual: actual.joined(separator: "; ")))
            }
        }
        #expect(unlisted(found, known: Self.knownAddresses) == [])
    }

    /// `[group]` and `name <address>`; a list of bare addresses between groups is in a group without a name.
    static func addressLines(_ json: Any) -> [String] {
        let json = json as? [String: Any] ?? [:]
        func lines(_ list: Any?) -> [String] {
            (list as? [[String: Any]] ?? []).map {
                "\($0["name"] as? String ?? "-") <\($0["address"] as? String ?? "-")>"
            }
        }
        if let groups = json["Group"] as? [[String: Any]] {
            return groups.flatMap { group -> [String] in
                let name = group["name"] as? String
                return (name.map { ["[\($0)]"] } ?? []) + lines(group["addresses"])
            }
        }
        return lines(json["List"])
    }

    static func lines(_ list: AddressList) -> [String] {
        list.entries.compactMap { entry in
            switch entry {
            case .groupStart(let name): return "[\(EncodedWord.decode(name))]"
            case .groupEnd: return nil
            case .mailbox(let name, let route, let local, let domain):
                let address = text(
                    (route.map { $0 + bytes(":") } ?? []) + local + (domain.isEmpty ? [] : bytes("@") + domain))
                return "\(name.map { EncodedWord.decode($0) } ?? "-") <\(address)>"
            }
        }
    }

    private static let commentsAreNoName =
        "a comment is the name only when there is no other; in group names and addresses it is left out"
    private static let obsoleteSpace =
        "spaces and comments around the dots of an address are no part of it (RFC 5322 §4.4)"

    static let knownAddresses: [String: String] = [
        "address 8": commentsAreNoName,
        "address 9": commentsAreNoName,
        "address 10": commentsAreNoName,
        "address 11": commentsAreNoName,
        "address 22": commentsAreNoName,
        "address 56": commentsAreNoName,
        "address 13": obsoleteSpace,
        "address 14": obsoleteSpace,
    ]

    // MARK: Content-Type

    @Test("content types and parameters", .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func contentTypes() throws {
        var found: [Difference] = []
        for entry in try Self.cases("content_type") {
            let expected = entry.expected as? [String: Any]
            let type = expected?["c_type"] as? String
            let subtype = expected?["c_subtype"] as? String
            // A word without subtype is a Content-Disposition to us.
            let field = type != nil && subtype == nil ? "Content-Disposition" : "Content-Type"
            let part = parse("\(field): \(entry.header)").root
            var actual = "none"
            if field == "Content-Disposition" {
                actual = part.disposition?.kind ?? "none"
            } else if type != nil || part.contentType != .plainText {
                actual = "\(part.contentType.type)/\(part.contentType.subtype)"
            }
            let wanted = type.map { $0 + (subtype.map { "/\($0)" } ?? "") } ?? "none"
            if wanted != actual { found.append(.init(place: "type \(entry.number)", expected: wanted, actual: actual)) }
            let parameters =
                (field == "Content-Disposition" ? part.disposition?.parameters : part.contentType.parameters)
            for case let attribute as [String] in expected?["attributes"] as? [Any] ?? [] {
                let value = parameters?.decoded(attribute[0]) ?? "absent"
                if value != attribute[1] {
                    found.append(
                        .init(place: "type \(entry.number) \(attribute[0])", expected: attribute[1], actual: value))
                }
            }
        }
        #expect(unlisted(found, known: Self.knownTypes) == [])
    }

    private static let noLanguage =
        "languages of RFC 2231 §5 are read and not kept: nothing asks for them"
    private static let charsetOnce =
        "only the first piece names charset and language (RFC 2231 §4.1)"
    private static let spaceBetweenWords =
        "space between two encoded words is no text (RFC 2047 §6.2), in quotes neither"
    private static let noSubtype =
        "without a slash and a subtype it is no type (RFC 2045 §5.1)"
    private static let contiguousPieces =
        "pieces are numbered from 0 without a gap (RFC 2231 §3); what is behind a gap is not joined"
    private static let nonsenseNames =
        "names with more than one section number are of no parameter (RFC 2231 §7)"
    private static let twoTokens =
        "a subtype is a token, and a slash ends it (RFC 2045 §5.1)"

    static let knownTypes: [String: String] = [
        "type 29 title-language": noLanguage,
        "type 30 title-language": noLanguage,
        "type 31 filename-language": noLanguage,
        "type 59 key3-language": noLanguage,
        "type 31 filename": charsetOnce,
        "type 34 name": spaceBetweenWords,
        "type 47": noSubtype,
        "type 48": noSubtype,
        "type 58": noSubtype,
        "type 59 key": contiguousPieces,
        "type 61 3": nonsenseNames,
        "type 61 4": nonsenseNames,
        "type 61 5": nonsenseNames,
        "type 61 15": nonsenseNames,
        "type 61 1": nonsenseNames,
        "type 61 18": nonsenseNames,
        "type 61 7": nonsenseNames,
        "type 61 9": nonsenseNames,
        "type 76": twoTokens,
        "type 77": twoTokens,
        "type 78": twoTokens,
    ]

    // MARK: Dates

    @Test("dates", .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func dates() throws {
        var found: [Difference] = []
        for entry in try Self.cases("date") {
            let expected = (entry.expected as? [String: Any]).flatMap { ExpectedDate($0)?.text } ?? "none"
            let actual = MailDate.parse(Self.value(entry.header)).map { "\($0.instant) \($0.zoneMinutes)" } ?? "none"
            if expected != actual {
                found.append(.init(place: "date \(entry.number)", expected: expected, actual: actual))
            }
        }
        #expect(unlisted(found, known: Self.knownDates) == [])
    }

    private static let numericMonth =
        "a month has a name (RFC 5322 §3.3): numbers in a row are no date"
    private static let receivedIsNoDate =
        "a Received field is no date; its date stands behind the last semicolon"

    static let knownDates: [String: String] = [
        "date 10": numericMonth,
        "date 12": numericMonth,
        "date 28": receivedIsNoDate,
    ]

    // MARK: Identifiers, lists, text

    @Test("message identifiers", .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func identifiers() throws {
        var found: [Difference] = []
        for entry in try Self.cases("id") {
            let expected = (entry.expected as? [String] ?? []).map { "<\($0)>" }
            let actual = MessageSummary.make(bytes("References:" + entry.header)).references
            if expected != actual {
                found.append(
                    .init(place: "id \(entry.number)", expected: expected.joined(), actual: actual.joined()))
            }
        }
        #expect(unlisted(found, known: Self.knownIdentifiers) == [])
    }

    private static let spaceInIdentifier =
        "spaces in an identifier vanish, so that folded ones are equal"
    private static let noBrackets =
        "without angle brackets it is no identifier (RFC 5322 §3.6.4): In-Reply-To often holds prose"

    static let knownIdentifiers: [String: String] = [
        "id 6": spaceInIdentifier,
        "id 8": noBrackets,
        "id 9": noBrackets,
        "id 10": noBrackets,
    ]

    @Test(
        "lists: the items of the decoded value between commas",
        .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func lists() throws {
        var found: [Difference] = []
        for entry in try Self.cases("list") {
            let expected = entry.expected as? [String] ?? (entry.expected as? String).map { [$0] } ?? []
            let actual = EncodedWord.decode(Self.value(entry.header)).split(separator: ",")
                .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
            if expected != actual {
                found.append(
                    .init(
                        place: "list \(entry.number)", expected: expected.joined(separator: "|"),
                        actual: actual.joined(separator: "|")))
            }
        }
        #expect(unlisted(found, known: Self.knownLists) == [])
    }

    private static let foldingSpaceOfLists =
        "unfolding takes the line end only (RFC 5322 §2.2.3)"

    static let knownLists: [String: String] = [
        "list 2": foldingSpaceOfLists
    ]

    @Test("unstructured text", .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func unstructured() throws {
        var found: [Difference] = []
        for entry in try Self.cases("unstructured") {
            let expected = entry.expected as? String ?? ""
            let actual = EncodedWord.decode(Self.value(entry.header))
            if expected != actual {
                found.append(.init(place: "text \(entry.number)", expected: expected, actual: actual))
            }
        }
        #expect(unlisted(found, known: Self.knownTexts) == [])
    }

    private static let foldingSpace =
        "unfolding takes the line end only and keeps the space behind it (RFC 5322 §2.2.3), as ENVELOPE must"
    private static let noSpaceAdded =
        "no space is put where an encoded word touches text"

    static let knownTexts: [String: String] = [
        "text 2": foldingSpace,
        "text 3": foldingSpace,
        "text 4": foldingSpace,
        "text 19": foldingSpace,
        "text 24": foldingSpace,
        "text 25": foldingSpace,
        "text 26": foldingSpace,
        "text 21": noSpaceAdded,
        "text 22": noSpaceAdded,
        "text 27": noSpaceAdded,
        "text 28": noSpaceAdded,
    ]

    @Test(
        "dates of Received fields: what stands behind the last semicolon",
        .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func received() throws {
        var found: [Difference] = []
        for entry in try Self.cases("received") {
            let json = (entry.expected as? [String: Any])?["date"] as? [String: Any]
            let expected = json.flatMap { ExpectedDate($0)?.text } ?? "none"
            let value = Self.value(entry.header)
            let tail = value.lastIndex(of: UInt8(ascii: ";")).map { Array(value[($0 + 1)...]) } ?? []
            let actual = MailDate.parse(tail).map { "\($0.instant) \($0.zoneMinutes)" } ?? "none"
            if expected != actual {
                found.append(.init(place: "received \(entry.number)", expected: expected, actual: actual))
            }
        }
        #expect(unlisted(found, known: Self.knownReceived) == [])
    }

    private static let asctime =
        "asctime's form is read as what it says; mail-parser takes its numbers in order"
    private static let namedZone =
        "PDT and PST are zones (RFC 5322 §4.3)"
    private static let shortYear =
        "a year of two digits below 50 is of this century (RFC 5322 §4.3)"
    private static let wordBeforeDate =
        "a lone underscore before the date is no date of RFC 5322"
    private static let fraction =
        "the fraction is left out, not the second"

    static let knownReceived: [String: String] = [
        "received 13": asctime,
        "received 117": asctime,
        "received 118": asctime,
        "received 151": asctime,
        "received 67": namedZone,
        "received 163": namedZone,
        "received 89": shortYear,
        "received 90": shortYear,
        "received 128": shortYear,
        "received 138": wordBeforeDate,
        "received 144": fraction,
    ]
}
