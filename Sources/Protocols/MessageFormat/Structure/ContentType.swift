/// Parameters of a Content field, in order, names in lower case, values as they stand (unquoted, not decoded).
public struct ContentParameters: Sendable, Hashable {
    public struct Parameter: Sendable, Hashable {
        public var name: String
        public var value: [UInt8]
    }

    public var list: [Parameter]

    public init(_ list: [Parameter] = []) { self.list = list }

    /// The value as it stands; nil when absent. The first of several counts.
    public subscript(name: String) -> [UInt8]? { list.first { $0.name == name }?.value }

    /// The value in UTF-8 with RFC 2231 continuations joined and charsets decoded; RFC 2047 words, which have no business here
    /// but are common, are decoded too.
    public func decoded(_ name: String) -> String? { ParameterDecoding.decode(name, in: list) }
}

/// A Content-Type (RFC 2045 §5.1): type and subtype in lower case.
public struct ContentType: Sendable, Hashable {
    public var type: String
    public var subtype: String
    public var parameters: ContentParameters

    public init(type: String, subtype: String, parameters: ContentParameters = ContentParameters()) {
        self.type = type
        self.subtype = subtype
        self.parameters = parameters
    }

    /// RFC 2045 §5.2: what a message without a readable Content-Type is.
    public static let plainText = ContentType(
        type: "text", subtype: "plain",
        parameters: ContentParameters([.init(name: "charset", value: Array("us-ascii".utf8))]))
    /// RFC 2046 §5.1.5: the default inside multipart/digest.
    public static let message = ContentType(type: "message", subtype: "rfc822")

    /// message/rfc822 (RFC 2046 §5.2.1) or message/global (RFC 6532 §3.7).
    public var isMessage: Bool { type == "message" && (subtype == "rfc822" || subtype == "global") }

    /// Reads a field's value; nil when there is no `type/subtype`.
    static func parse(_ value: UnsafeRawBufferPointer, limits: MessageLimits) -> ContentType? {
        var reader = ContentFieldReader(value, limits: limits)
        guard let type = reader.token(), reader.take(UInt8(ascii: "/")), let subtype = reader.token() else {
            return nil
        }
        return ContentType(type: type, subtype: subtype, parameters: ContentParameters(reader.parameters()))
    }
}

/// A Content-Disposition (RFC 2183): the word in lower case, and parameters.
public struct ContentDisposition: Sendable, Hashable {
    public var kind: String
    public var parameters: ContentParameters

    static func parse(_ value: UnsafeRawBufferPointer, limits: MessageLimits) -> ContentDisposition? {
        var reader = ContentFieldReader(value, limits: limits)
        guard let kind = reader.token() else { return nil }
        return ContentDisposition(kind: kind, parameters: ContentParameters(reader.parameters()))
    }
}
