import Foundation
import MartletCore
import MessageFormat
import Testing

/// Stalwart mail-parser's messages with their full parse: structure, offsets, types, parameters, decoded text, and the header
/// fields that a summary keeps. What differs is listed with its reason, and explained in `Docs/decisions/0005-mime-vectors.md`.
@Suite struct MailParserMessageTests {
    static let files = Vectors.files(below: "mime/mail-parser") { $0.hasSuffix(".json") && !$0.hasPrefix("fields/") }

    @Test(
        "structure, text and names are those of mail-parser, but for the listed differences",
        .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func comparesWithExpected() throws {
        #expect(Self.files.count == 27)
        var found: [Difference] = []
        for path in Self.files {
            let expected = try #require(try Vectors.json(path) as? [String: Any])
            // The offsets were made from files with line feeds; some of the copies have CRLF.
            let original = try Vectors.read(path.replacingOccurrences(of: ".json", with: ".eml"))
            let message = bytesWithLineFeeds(original)
            #expect(MessageStructure.parse(original).root.outline == MessageStructure.parse(message).root.outline)
            let name = path.replacingOccurrences(of: "mime/mail-parser/", with: "")
                .replacingOccurrences(of: ".json", with: "")
            var comparison = MailParserComparison(file: name, message: message)
            comparison.compare(expected, with: MessageStructure.parse(message).root, path: "", base: 0)
            comparison.compareSummary(expected)
            found += comparison.differences
        }
        #expect(unlisted(found, known: Self.known) == [])
    }

    private static let repeatedBoundary =
        "each boundary line begins a part, also one with nothing in it (RFC 2046 §5.1.1)"
    private static let restOfBoundaryLine =
        "what stands behind a boundary on its line is no header: the part begins on the next line"
    private static let outerBoundary =
        "an outer boundary ends inner parts, the longest boundary counts (RFC 2046 §5.1.2)"
    private static let emptyLastPart =
        "a boundary at the very end begins a part without content: the message was cut"
    private static let firstFieldCounts =
        "of two Content-Type fields the first counts, as in ENVELOPE"
    private static let messageStaysMessage =
        "message/rfc822 without a readable header is a message still: all its lines are header"
    private static let lenientBase64 =
        "octets outside the alphabet are skipped, the rest is decoded (RFC 2045 §6.8)"
    private static let encodedMessage =
        "message/rfc822 may not be encoded (RFC 2046 §5.2.1): it is a file, with places in no message of ours"
    private static let encodingToken =
        "Content-Transfer-Encoding is one token (RFC 2045 §6.1); both decode as identity"
    private static let firstParameterCounts =
        "of two parameters with one name the first counts"

    static let known: [String: String] = [
        "malformed/000 0 children": repeatedBoundary,
        "malformed/004 1 headerStart": restOfBoundaryLine,
        "malformed/004 2 headerStart": restOfBoundaryLine,
        "malformed/008 0 children": outerBoundary,
        "malformed/008 1 bodyEnd": outerBoundary,
        "malformed/008 1 children": outerBoundary,
        "malformed/012 0 children": outerBoundary,
        "malformed/012 1 bodyEnd": outerBoundary,
        "malformed/012 3 bodyEnd": outerBoundary,
        "malformed/012 3.0 bodyEnd": outerBoundary,
        "malformed/012 3.0 text": outerBoundary,
        "malformed/016 0 children": outerBoundary,
        "malformed/016 1 bodyEnd": outerBoundary,
        "malformed/016 2 bodyEnd": outerBoundary,
        "malformed/016 2 children": outerBoundary,
        "malformed/014 0 children": emptyLastPart,
        "malformed/020 1 content_type": firstFieldCounts,
        "malformed/020 1 content_type charset": firstFieldCounts,
        "malformed/020 1 content_type format": firstFieldCounts,
        "malformed/020 1 bodyEnd": firstFieldCounts,
        "malformed/020 1 kind": firstFieldCounts,
        "malformed/022 2 bodyEnd": messageStaysMessage,
        "malformed/022 2 kind": messageStaysMessage,
        "rfc/000 4 text": lenientBase64,
        "rfc/000 5 text": lenientBase64,
        "thirdparty/002 2 text": lenientBase64,
        "thirdparty/002 3 text": lenientBase64,
        "rfc/008 2 kind": encodedMessage,
        "thirdparty/004 3 content_transfer_encoding": encodingToken,
        "thirdparty/010 0 content_type comment": firstParameterCounts,
    ]
}

func bytesWithLineFeeds(_ message: [UInt8]) -> [UInt8] {
    message.indices.filter { !(message[$0] == 0x0D && $0 + 1 < message.count && message[$0 + 1] == 0x0A) }
        .map { message[$0] }
}

/// Walks the expected parse and ours side by side.
struct MailParserComparison: VectorComparison {
    let file: String
    let message: [UInt8]
    var differences: [Difference] = []

    init(file: String, message: [UInt8]) {
        self.file = file
        self.message = message
    }

    /// `parsed` is a whole message of the JSON; `part` is ours.
    mutating func compare(_ parsed: [String: Any], with part: MessageStructure.Part, path: String, base: Int) {
        let parts = parsed["parts"] as? [[String: Any]] ?? []
        guard !parts.isEmpty else { return expect("\(path)parts", "none", part.outline) }
        compare(parts, index: 0, with: part, path: path, base: base)
    }

    private mutating func compare(
        _ parts: [[String: Any]], index: Int, with part: MessageStructure.Part, path: String, base: Int
    ) {
        let expected = parts[index]
        let here = "\(path)\(index) "
        expect(here + "headerStart", "\(expected["offset_header"] ?? "")", "\(part.headerRange.lowerBound)")
        expect(here + "bodyStart", "\(expected["offset_body"] ?? "")", "\(part.bodyRange.lowerBound)")
        expect(here + "bodyEnd", "\(expected["offset_end"] ?? "")", "\(part.bodyRange.upperBound)")
        compareFields(expected["headers"] as? [[String: Any]] ?? [], with: part, at: here)
        let body = expected["body"] as? [String: Any] ?? [:]
        if let text = (body["Text"] ?? body["Html"]) as? String {
            expect(here + "kind", "leaf", part.children.isEmpty ? "leaf" : part.outline)
            if part.children.isEmpty { expect(here + "text", text, part.decodedText(in: message)) }
        } else if let numbers = (body["Binary"] ?? body["InlineBinary"]) as? [Int] {
            let decoded = message[part.bodyRange].withUnsafeBytes { ContentTransferEncoding(part.encoding).decode($0) }
            expect(here + "bytes", numbers.description, decoded.map { Int($0) }.description)
        } else if let children = body["Multipart"] as? [Int] {
            expect(
                here + "kind", "multipart",
                part.isMultipart || part.contentType.type == "multipart" ? "multipart" : part.outline)
            expect(here + "children", "\(children.count)", "\(part.children.count)")
            for (child, ours) in zip(children, part.children) {
                compare(parts, index: child, with: ours, path: path, base: base)
            }
        } else if let inner = body["Message"] as? [String: Any] {
            guard part.isMessage, let ours = part.children.first else {
                return expect(here + "kind", "message", part.outline)
            }
            compare(inner, with: ours, path: here.trimmingCharacters(in: .whitespaces) + ".", base: base)
        } else {
            expect(here + "kind", "\(expected["body"] ?? "")", part.outline)
        }
    }

    private mutating func compareFields(_ headers: [[String: Any]], with part: MessageStructure.Part, at here: String) {
        for header in headers {
            guard let name = header["name"] as? String, let value = header["value"] as? [String: Any] else { continue }
            switch name {
            case "content_type": compareContentType(value, part.contentType, here + name)
            case "content_disposition":
                guard let disposition = part.disposition else {
                    expect(here + name, "present", "absent")
                    continue
                }
                compareAttributes(value, disposition.parameters, here + name)
                expect(here + name, Self.contentType(value)["c_type"] as? String ?? "", disposition.kind)
            case "content_transfer_encoding":
                expect(here + name, (value["Text"] as? String ?? "").lowercased(), part.encoding)
            case "content_id":
                expect(
                    here + name, value["Text"] as? String ?? "", text(part.id ?? []).trimmingCharacters(in: ["<", ">"]))
            case "content_language":
                let tags = value["TextList"] as? [String] ?? (value["Text"] as? String).map { [$0] } ?? []
                expect(here + name, tags.joined(separator: " "), part.language.joined(separator: " "))
            default: break
            }
        }
    }

    private static func contentType(_ value: [String: Any]) -> [String: Any] {
        value["ContentType"] as? [String: Any] ?? [:]
    }

    private mutating func compareContentType(_ value: [String: Any], _ type: ContentType, _ place: String) {
        let expected = Self.contentType(value)
        expect(
            place, "\(expected["c_type"] as? String ?? "")/\(expected["c_subtype"] as? String ?? "")",
            "\(type.type)/\(type.subtype)")
        compareAttributes(value, type.parameters, place)
    }

    private mutating func compareAttributes(_ value: [String: Any], _ parameters: ContentParameters, _ place: String) {
        for attribute in Self.contentType(value)["attributes"] as? [[String: Any]] ?? [] {
            guard let name = attribute["name"] as? String, let expected = attribute["value"] as? String else {
                continue
            }
            expect("\(place) \(name)", expected, parameters.decoded(name) ?? "absent")
        }
    }

    /// Subject, addresses, Message-ID and date of the message itself.
    mutating func compareSummary(_ parsed: [String: Any]) {
        let summary = MessageSummary.make(message)
        let root = (parsed["parts"] as? [[String: Any]])?.first
        for header in root?["headers"] as? [[String: Any]] ?? [] {
            guard let name = header["name"] as? String, let value = header["value"] as? [String: Any] else { continue }
            switch name {
            case "subject": expect(name, value["Text"] as? String ?? "", summary.subject)
            case "message_id":
                expect(name, "<\(value["Text"] as? String ?? "")>", summary.messageID ?? "absent")
            case "date":
                guard let date = value["DateTime"] as? [String: Any] else { continue }
                expect(
                    name, ExpectedDate(date)?.text ?? "none",
                    summary.sentDate.map {
                        "\($0) \(summary.sentZoneMinutes)"
                    } ?? "none")
            default: break
            }
        }
    }
}

/// A date of mail-parser's JSON, in our terms.
struct ExpectedDate {
    var text: String

    init?(_ json: [String: Any]) {
        func number(_ name: String) -> Int { json[name] as? Int ?? 0 }
        let zone = (number("tz_hour") * 60 + number("tz_minute")) * ((json["tz_before_gmt"] as? Bool ?? false) ? -1 : 1)
        let local = Instant(
            year: number("year"), month: number("month"), day: number("day"), hour: number("hour"),
            minute: number("minute"), second: number("second"))
        text = "\(local + .seconds(-60 * zone)) \(zone)"
    }
}
