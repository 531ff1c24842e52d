internal import MartletBytes

/// Content-Transfer-Encodings (RFC 2045 §6): how a body became lines of text.
public enum ContentTransferEncoding: Sendable, Hashable {
    case identity
    case base64
    case quotedPrintable
    /// A token that nobody defined: the body cannot be decoded (RFC 9051 `UNKNOWN-CTE`).
    case unknown(String)

    /// - Parameter token: lower case, as in `MessageStructure.Part.encoding`.
    public init(_ token: String) {
        switch token {
        case "7bit", "8bit", "binary", "": self = .identity
        case "base64": self = .base64
        case "quoted-printable": self = .quotedPrintable
        default: self = .unknown(token)
        }
    }

    /// The octets that were encoded; an unknown encoding gives the body as it is. Lenient: nothing is refused.
    public func decode(_ body: UnsafeRawBufferPointer) -> [UInt8] {
        switch self {
        case .identity, .unknown: Array(body)
        case .base64: Base64.decodeLeniently(body)
        case .quotedPrintable: QuotedPrintable.decode(body)
        }
    }
}

extension MessageStructure.Part {
    /// The part's text in UTF-8, transfer encoding and charset undone. `bytes` is the whole message.
    /// - Parameter limit: octets of the body that are decoded at most.
    public func decodedText(in bytes: UnsafeRawBufferPointer, limit: Int = .max) -> String {
        let range = bodyRange.count > limit ? bodyRange.lowerBound..<(bodyRange.lowerBound + limit) : bodyRange
        let body = bytes.clamped(range)
        let charset = contentType.parameters.decoded("charset") ?? "us-ascii"
        let transfer = ContentTransferEncoding(encoding)
        if transfer == .identity { return Charset.decode(body, charset: charset) ?? Charset.decodeUnlabelled(body) }
        let decoded = transfer.decode(body)
        return Charset.decode(decoded, charset: charset) ?? Charset.decodeUnlabelled(decoded)
    }
}
