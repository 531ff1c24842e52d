import Foundation
import MessageFormat
import Testing

#if canImport(FoundationXML)
    import FoundationXML
#endif

/// Apache mime4j's messages with their decoded trees: kinds and nesting of parts, header fields, decoded bodies.
@Suite struct MIME4JVectorTests {
    static let trees = Vectors.files(below: "mime/mime4j") { $0.hasSuffix("_decoded.xml") }

    @Test(
        "trees, fields and decoded bodies are those of mime4j, but for the listed differences",
        .enabled(if: Vectors.arePresent, Comment(rawValue: Vectors.absence)))
    func comparesWithExpected() throws {
        #expect(Self.trees.count == 15)
        var found: [Difference] = []
        for path in Self.trees {
            let name = path.replacingOccurrences(of: "mime/mime4j/", with: "")
                .replacingOccurrences(of: "_decoded.xml", with: "")
            let message = try Vectors.read("mime/mime4j/\(name).msg")
            let tree = try #require(XMLTree.read(try Vectors.read(path)))
            var comparison = MIME4JComparison(file: name, message: message)
            try comparison.compare(tree, with: MessageStructure.parse(message).root, at: "1")
            found += comparison.differences
        }
        #expect(unlisted(found, known: Self.known) == [])
    }

    private static let encodedMessage =
        "message/rfc822 may not be encoded (RFC 2046 §5.2.1): it is a file, with places in no message of ours"
    private static let badLineIsHeader =
        "only the empty line ends a header (RFC 5322 §2.1); a line without a colon is skipped"
    private static let boundaryLimit =
        "a boundary of 7,000 octets is beyond MessageLimits.maximumBoundaryLength (RFC 2046 allows 70): an opaque leaf"

    static let known: [String: String] = [
        "base64encoded-rfc822message 1 kind": encodedMessage,
        "malformedHeaderStartsBody-nocrlfcrlf 1 header": badLineIsHeader,
        "malformedHeaderStartsBody-nocrlfcrlf 1 body": badLineIsHeader,
        "very-very-long-boundary 1 parts": boundaryLimit,
    ]
}

/// An element of mime4j's trees.
final class XMLTree: NSObject, XMLParserDelegate {
    var name = ""
    var attributes: [String: String] = [:]
    var text = ""
    var children: [XMLTree] = []
    private var open: [XMLTree] = []

    static func read(_ bytes: [UInt8]) -> XMLTree? {
        let root = XMLTree()
        let parser = XMLParser(data: Data(bytes))
        root.open = [root]
        parser.delegate = root
        return parser.parse() ? root.children.first : nil
    }

    subscript(_ name: String) -> XMLTree? { children.first { $0.name == name } }

    func parser(
        _ parser: XMLParser, didStartElement element: String, namespaceURI: String?, qualifiedName: String?,
        attributes: [String: String]
    ) {
        let child = XMLTree()
        child.name = element
        child.attributes = attributes
        open.last?.children.append(child)
        open.append(child)
    }

    func parser(_ parser: XMLParser, didEndElement element: String, namespaceURI: String?, qualifiedName: String?) {
        open.removeLast()
    }

    func parser(_ parser: XMLParser, foundCharacters characters: String) { open.last?.text += characters }
}

struct MIME4JComparison: VectorComparison {
    let file: String
    let message: [UInt8]
    var differences: [Difference] = []

    init(file: String, message: [UInt8]) {
        self.file = file
        self.message = message
    }

    mutating func compare(_ tree: XMLTree, with part: MessageStructure.Part, at place: String) throws {
        let fields = (tree["header"]?.children ?? []).map { Self.normalized($0.text) }
        let ours = message.withUnsafeBytes { buffer in
            HeaderFields(buffer, in: part.headerRange).map { Self.normalized(text(buffer[$0.whole])) }
        }
        expect("\(place) header", fields.joined(separator: "|"), ours.joined(separator: "|"))
        if let multipart = tree["multipart"] {
            let parts = multipart.children.filter { $0.name == "body-part" }
            expect("\(place) kind", "multipart", part.contentType.type)
            expect("\(place) parts", "\(parts.count)", "\(part.children.count)")
            for (number, (tree, child)) in zip(parts, part.children).enumerated() {
                try compare(tree, with: child, at: "\(place).\(number + 1)")
            }
        } else if let inner = tree["message"] {
            guard part.isMessage, let child = part.children.first else {
                return expect("\(place) kind", "message", part.outline)
            }
            try compare(inner, with: child, at: "\(place).m")
        } else if let body = tree["text-body"] ?? tree["binary-body"] {
            expect("\(place) kind", "leaf", part.children.isEmpty ? "leaf" : part.outline)
            let expected = try Vectors.read("mime/mime4j/\(body.attributes["name"] ?? "")")
            let decoded = message[part.bodyRange].withUnsafeBytes { ContentTransferEncoding(part.encoding).decode($0) }
            // The files hold the octets, not yet decoded by charset.
            expect("\(place) body", expected.description, decoded.description)
        } else {
            expect("\(place) kind", tree.children.map(\.name).joined(separator: " "), part.outline)
        }
    }

    /// The XML has line feeds where messages have CRLF, and leaves out the line end of a field.
    private static func normalized(_ field: String) -> String {
        field.replacingOccurrences(of: "\r\n", with: "\n").trimmingCharacters(in: .newlines)
    }
}
